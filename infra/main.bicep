// One environment: a resource group with the app and its dependencies. See docs/deployment.md; each parameter documents its
// allowed values. No parameter and no output is a secret.
targetScope = 'subscription'

import { hasTwice, isClusterName, isCurrency, isDecimalWithin, isEmail, isFirstOfMonth, isGroupId, isGuid, isHttps, isHttpsHost, isIdOf, isName, isNetwork, isOrigin, isPhone, isPrintable, isPrivatePrefix, isReceiver, isSchedule } from 'checks.bicep'
import { isNightly } from 'nights.bicep'

@description('Name of the environment, such as staging or production: letters, digits and hyphens.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region; it must support Flex Consumption.')
@minLength(1)
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('Network access: public; private-dependencies (dependencies are reachable through private endpoints only); private (the app is too).')
@allowed(['public', 'private-dependencies', 'private'])
param network string = 'public'

@description('First two octets of the network\'s addresses, such as 10.40.')
@minLength(3)
@maxLength(7)
param addressPrefix string = '10.40'

@description('Id of an existing subnet that the app\'s instances join, delegated to Microsoft.App/environments, such as one from which a private MongoDB can be reached; empty for a network of the environment\'s own where it needs one.')
@maxLength(400)
param appSubnetId string = ''

@description('Id of an existing subnet for the private endpoints; goes with appSubnetId, except if network is public.')
@maxLength(400)
param endpointsSubnetId string = ''

@description('Id of the resource group of existing private DNS zones, which the network already asks; empty for zones of the environment\'s own.')
@maxLength(200)
param dnsZonesGroupId string = ''

@description('Whether the app\'s requests leave from one fixed address, through a NAT gateway in the environment\'s own network.')
param natGateway bool = false

@description('Orchestration engine: the storage account, or the Durable Task Scheduler. The package must be built for the same engine.')
@allowed(['storage', 'scheduler'])
param durableBackend string = 'storage'

@description('cluster creates a MongoDB cluster for the app; given uses the connection string in the vault, mongodb-url.')
@allowed(['cluster', 'given'])
param mongodb string = 'given'

@description('Name of the MongoDB cluster, if it is not that of the environment but another one of its group, such as a restored one.')
@maxLength(40)
param mongodbClusterName string = ''

@description('Size of the MongoDB cluster.')
@allowed(['M10', 'M20', 'M30', 'M40', 'M50', 'M60', 'M80', 'M200'])
param mongodbTier string = 'M30'

@description('GB of disk of the MongoDB cluster: 32, 64, 128, 256, 512, 1024, 2048, 4095, 8192 or 16384. It cannot be shrunk.')
@minValue(32)
@maxValue(16384)
param mongodbStorageGb int = 128

@description('Object ids of the persons who administer the MongoDB cluster. The service knows no groups: name their members.')
param mongodbAdministratorIds string[] = []

@description('Whether the MongoDB cluster also accepts a password that nobody knows: true only for the deployment that creates it.')
param mongodbPasswordSignIn bool = false

@description('Role of the app in the MongoDB cluster: readWrite in its database, or root in all of them where the service refuses readWrite.')
@allowed(['readWrite', 'root'])
param mongodbAppRole string = 'readWrite'

@description('Whether the MongoDB cluster logs every command with its text, which contains personal data; requires a tier above M30. A million users add gigabytes a night: raise logDailyCapGb first.')
param mongodbCommandLogs bool = false

@description('managed creates an Azure Managed Redis; none creates no Redis and uses the URL in the vault, redis-url, if present.')
@allowed(['managed', 'none'])
param redis string = 'managed'

@description('Size of the Redis cache: B0 has 0.5 GB, B1 has 1, B3 has 3, B5 has 6.')
@allowed(['Balanced_B0', 'Balanced_B1', 'Balanced_B3', 'Balanced_B5', 'Balanced_B10'])
param redisSku string = 'Balanced_B0'

@description('Whether the app, MongoDB, Redis and storage survive the loss of a zone. Decide before the first deployment: the storage of an existing environment must be converted first, and Redis cannot be changed back.')
param highlyAvailable bool = false

@description('Memory of an app instance, in MB.')
@allowed([2048, 4096])
param instanceMemoryMb int = 2048

@description('Maximum number of app instances.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 40

@description('Always-ready instances for HTTP requests; 0 for none.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int = 0

@description('How instances take a deployment or a change of settings: Recreate stops what they are doing, RollingUpdate (preview) lets it finish.')
@allowed(['Recreate', 'RollingUpdate'])
param siteUpdate string = 'Recreate'

@description('Bytes of a body above which the host rejects a request at once; the API itself takes 65536.')
@minValue(65536)
@maxValue(131072)
param requestBodyLimitBytes int = 131072

@description('Whether storage, vault and MongoDB cluster are locked against deletion. Who deploys then needs the role Locks Contributor.')
param deleteLocks bool = false

@description('Object id of the operators\' group, which may set secrets, restart the app, query its telemetry, try the alerts and bring back deleted reports; empty for none.')
@maxLength(36)
param operatorsGroupId string = ''

@description('Client id of the app registration for the platform\'s sign-in (Easy Auth) and for Entra ID tokens; empty for neither.')
@maxLength(36)
param signInClientId string = ''

@description('Role in Entra ID tokens that grants administrator access.')
@minLength(1)
@maxLength(120)
param signInAdminRole string = 'Portfolio.Admin'

@description('Whether users may sign in at the app\'s own address (Easy Auth); requires signInClientId.')
param platformSignIn bool = false

@description('Email addresses that receive alerts.')
@minLength(1)
param alertEmails string[]

@description('Whether alerts fire. Enable together with the timer.')
param alertsEnabled bool = false

@description('HTTPS addresses that receive every alert in the common alert schema, such as those of an on-call service. Readers of deployments see them.')
param alertWebhooks string[] = []

@description('Phone numbers that get a text message for alerts that cannot wait: country code and number, such as 1 5551234567.')
param alertTextMessages string[] = []

@description('Phone numbers that are called for alerts that cannot wait: country code and number, such as 1 5551234567.')
param alertCalls string[] = []

@description('Whether Azure asks the app for its health from three places every fifteen minutes while alerts are enabled. Not possible where the app is private or its own host name is closed and publicUrl is empty.')
param availabilityTest bool = true

@description('Minutes after its scheduled start by which the nightly run must have completed: more for more users, see docs/scale.md.')
@minValue(1)
@maxValue(1380)
param deadlineMinutes int = 30

@description('Percentage of failed users in a run above which an alert fires.')
@minValue(1)
@maxValue(100)
param failedUsersPercent int = 5

@description('Number of users below which a nightly run fires no alert because of failed users.')
@minValue(1)
@maxValue(1000000)
param failedUsersMinimum int = 20

@description('Monthly budget in the subscription\'s currency; exceeding it sends an alert.')
@minValue(1)
@maxValue(1000000)
param budgetAmount int = 500

@description('First day of the month in which the budget was created, such as 2026-12-01, or of this month for a new one: the service accepts no other.')
@minLength(10)
@maxLength(10)
param budgetStartDate string

@description('Log retention in days.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Daily log limit in GB; logs above it are dropped.')
@minValue(1)
@maxValue(1000)
param logDailyCapGb int = 5

@description('Whether the timers fire. Off while the old CronJob still starts the nightly run: see docs/migration.md.')
param nightlyTimerEnabled bool = false

@description('Start of the nightly run: six-field NCRONTAB, UTC, seconds first.')
@minLength(11)
@maxLength(100)
param schedule string = '0 0 1 * * *'

@description('Database of the app and of the existing backend.')
@minLength(1)
@maxLength(63)
param mongodbDatabase string = 'portfolio'

@description('Market data provider. csv is refused: no folder of prices is there in Azure.')
@allowed(['alpaca', 'alphavantage', 'csv', 'sample'])
param marketDataProvider string

@description('Currency of reports, unless a user has another one: a code of ISO 4217.')
@minLength(3)
@maxLength(3)
param baseCurrency string = 'USD'

@description('Alpaca feed, as included in the subscription.')
@allowed(['iex', 'sip', 'otc'])
param alpacaFeed string = 'iex'

@description('Requests per minute allowed by the provider\'s plan; 0 for the default of its free plan.')
@minValue(0)
@maxValue(100000)
param marketDataRequestsPerMinute int = 0

@description('Concurrent requests per instance.')
@minValue(1)
@maxValue(32)
param marketDataConcurrency int = 4

@description('Symbol whose dates are the trading calendar; empty for the provider\'s default.')
@maxLength(32)
param benchmarkSymbol string = ''

@description('Annual risk-free rate, simple, as text: -0.5 to 1.')
@maxLength(8)
param riskFreeRate string = '0'

@description('Users per page; a page is one step of a run.')
@minValue(1)
@maxValue(1000)
param pageSize int = 200

@description('Share of symbols with prices below which a run fails before analyzing, as text: 0 to 1.')
@maxLength(8)
param minSuccessRate string = '0.7'

@description('Trading days of history.')
@minValue(63)
@maxValue(12600)
param lookbackDays int = 1260

@description('Unknown watchlist symbols that are requested per user and night.')
@minValue(0)
@maxValue(5000)
param watchlistUnknownLimit int = 20

@description('Seconds without progress after which a run is stopped.')
@minValue(901)
@maxValue(86400)
param stallSeconds int = 1800

@description('Retention of summaries in days; without the lake, of full reports, too.')
@minValue(1)
@maxValue(3650)
param retentionDays int = 90

@description('Whether the reports of every run are also written to the storage account, as files for years.')
param lakeEnabled bool = true

@description('Days after which these files are deleted.')
@minValue(366)
@maxValue(36500)
param lakeRetentionDays int = 2557

@description('Nights whose full reports stay in MongoDB beside the files; summaries stay as long as reports without them.')
@minValue(1)
@maxValue(3650)
param reportsKeptNights int = 2

@description('Audit log retention in days.')
@minValue(1)
@maxValue(3650)
param auditRetentionDays int = 365

@description('Id of the Front Door in front of the app, as in its header X-Azure-FDID; empty for none. With it, the app\'s own host name is closed to others.')
@maxLength(36)
param frontDoorId string = ''

@description('Networks of the gateway in front of the app, comma separated, such as 203.0.113.0/24; empty for none. With them, the app\'s own host name is closed to others.')
@maxLength(1000)
param proxyNetworks string = ''

@description('Number of proxies in front of the app, including the platform\'s: 1 by default, 2 with a Front Door or gateway.')
@minValue(1)
@maxValue(5)
param trustedProxies int = (empty(frontDoorId) && empty(proxyNetworks)) ? 1 : 2

@description('Address that clients use, such as https://portfolio.example.com; empty for the app\'s own host name.')
@maxLength(200)
param publicUrl string = ''

@description('Origins whose pages may call the API, comma separated; empty for none.')
@maxLength(1000)
param corsOrigins string = ''

@description('Additional collector that accepts OTLP over HTTP, such as https://HOST:4318; empty for none.')
@maxLength(200)
param otlpEndpoint string = ''

@description('Required issuer of the existing backend\'s tokens; empty for any.')
@maxLength(200)
param jwtIssuer string = ''

@description('Required audience of the existing backend\'s tokens; without it they are rejected.')
@maxLength(200)
param jwtAudience string = ''

@description('Whether persons may read their own reports at /api/me, with a token of the backend or of the sign-in.')
param personsApiEnabled bool = false

@description('Whether each night is told as one message for operators, too: an event with a body as text and as HTML.')
param nightlyDigest bool = false

@description('The claim of such a token that holds the id of the user.')
@minLength(1)
@maxLength(128)
param personsSubjectClaim string = 'sub'

@description('Receivers of events: endpoint_id, url, secret_name and, unless it takes all of them, the types of the events of each. The vault holds the secrets.')
@maxLength(50)
param webhooks object[] = []

@description('Source of the events, a URI reference; receivers tell environments apart by it.')
@minLength(1)
@maxLength(256)
param eventSource string = '/portfolio-analysis'

@description('Id of an existing Event Grid topic, of CloudEvents, that gets the events; empty for none. The app becomes a sender there.')
@maxLength(400)
param eventGridTopicId string = ''

@description('Where the fields are in the backend\'s documents, if they have other names than in docs/data.md: see docs/settings.md.')
@maxLength(4000)
param fields string = ''

var dependenciesPrivate = network != 'public'
var everythingPrivate = network == 'private'
var behindProxy = !empty(frontDoorId) || !empty(proxyNetworks)
var gatewayNetworks = empty(proxyNetworks) ? [] : map(split(proxyNetworks, ','), one => trim(one))
var corsOriginList = empty(corsOrigins) ? [] : map(split(corsOrigins, ','), one => trim(one))
var exampleDomains = ['example.com', 'example.net', 'example.org']
var smallTiers = ['M10', 'M20']
// https://learn.microsoft.com/azure/cosmos-db/mongodb/vcore/how-to-monitor-diagnostics-logs
var tiersWithoutLogs = ['M10', 'M20', 'M30']
var diskSizes = [32, 64, 128, 256, 512, 1024, 2048, 4095, 8192, 16384]
var serverDatabases = ['admin', 'config', 'local']
var eventTypes = [
  'portfolio-analysis.run.started'
  'portfolio-analysis.run.completed'
  'portfolio-analysis.run.failed'
  'portfolio-analysis.run.canceled'
  'portfolio-analysis.portfolio.breached'
  'portfolio-analysis.portfolio.recovered'
  'portfolio-analysis.portfolio.failed'
  'portfolio-analysis.portfolio.incomplete'
  'portfolio-analysis.digest'
  'portfolio-analysis.test'
]
var receivers = map(webhooks, one => {
  id: one.?endpoint_id ?? ''
  url: one.?url ?? ''
  secret: one.?secret_name ?? ''
  types: one.?types ?? eventTypes
  others: filter(map(items(one), member => member.key), key => !contains(['endpoint_id', 'secret_name', 'types', 'url'], key))
})

// What Azure would accept, or refuse half an hour later, and what could not work. Each sentence begins with the parameter.
var refusals = filter([
  isName(environmentName, '-', 32) ? '' : 'environmentName must consist of letters, digits and hyphens.'
  isFirstOfMonth(budgetStartDate) ? '' : 'budgetStartDate must be the first day of a month, such as 2026-12-01.'
  (highlyAvailable && mongodb == 'cluster' && contains(smallTiers, mongodbTier)) ? 'mongodbTier must be M30 or larger with highlyAvailable: smaller clusters have no second server.' : ''
  contains(diskSizes, mongodbStorageGb) ? '' : 'mongodbStorageGb must be one of ${join(map(diskSizes, size => string(size)), ', ')}.'
  (!empty(mongodbClusterName) && mongodb != 'cluster') ? 'mongodbClusterName needs mongodb cluster: no other has a name here.' : ''
  (empty(mongodbClusterName) || isClusterName(mongodbClusterName)) ? '' : 'mongodbClusterName must consist of 3 to 40 small letters and digits, with single hyphens between them.'
  (mongodbPasswordSignIn && mongodb != 'cluster') ? 'mongodbPasswordSignIn needs mongodb cluster: there is no other cluster to create.' : ''
  (mongodbCommandLogs && mongodb == 'cluster' && contains(tiersWithoutLogs, mongodbTier)) ? 'mongodbCommandLogs needs a mongodbTier above M30: smaller clusters have no logs.' : ''
  empty(filter(mongodbAdministratorIds, id => !isGuid(id))) ? '' : 'mongodbAdministratorIds must be object ids of persons.'
  hasTwice(mongodbAdministratorIds) ? 'mongodbAdministratorIds must name each person once.' : ''
  (!empty(mongodbAdministratorIds) && mongodb != 'cluster') ? 'mongodbAdministratorIds needs mongodb cluster: they administer no other.' : ''
  (!isName(mongodbDatabase, '_-', 63) || contains(serverDatabases, mongodbDatabase)) ? 'mongodbDatabase must consist of letters, digits, _ and -, and not be the server\'s admin, config or local.' : ''
  (marketDataProvider == 'csv') ? 'marketDataProvider csv reads a folder of prices, and there is none in Azure: the app would not start.' : ''
  isDecimalWithin(riskFreeRate, -500000, 1000000) ? '' : 'riskFreeRate must be a decimal number from -0.5 to 1.'
  isDecimalWithin(minSuccessRate, 0, 1000000) ? '' : 'minSuccessRate must be a decimal number from 0 to 1.'
  isCurrency(baseCurrency) ? '' : 'baseCurrency must be a currency of ISO 4217 in capital letters, such as USD.'
  (empty(benchmarkSymbol) || (isName(benchmarkSymbol, '_.^=-', 32) && !contains(['.', '=', '-'], substring('${benchmarkSymbol} ', 0, 1)))) ? '' : 'benchmarkSymbol must be a symbol such as SPY.'
  isSchedule(schedule) ? '' : 'schedule must have six fields, seconds first, with single blanks between them, such as 0 0 1 * * *.'
  (platformSignIn && empty(signInClientId)) ? 'platformSignIn needs signInClientId: without a registration nobody can sign in.' : ''
  (empty(signInClientId) || isGuid(signInClientId)) ? '' : 'signInClientId must be the client id of an app registration.'
  isPrintable(signInAdminRole) ? '' : 'signInAdminRole must be the value of an app role, which has no blanks.'
  (empty(operatorsGroupId) || isGuid(operatorsGroupId)) ? '' : 'operatorsGroupId must be the object id of a group.'
  (personsApiEnabled && empty(signInClientId) && empty(jwtAudience)) ? 'personsApiEnabled needs signInClientId or jwtAudience: no token of a person would be accepted.' : ''
  isName(personsSubjectClaim, '_.:/-', 128) ? '' : 'personsSubjectClaim must be the name of a claim, such as sub.'
  (alwaysReadyInstances > maximumInstances) ? 'alwaysReadyInstances must not be more than maximumInstances.' : ''
  isPrivatePrefix(addressPrefix) ? '' : 'addressPrefix must be the first two octets of a private network, such as 10.40.'
  (empty(appSubnetId) || isIdOf(appSubnetId, 'microsoft.network/virtualnetworks/subnets')) ? '' : 'appSubnetId must be the id of a subnet.'
  contains(last(split(appSubnetId, '/')), '_') ? 'appSubnetId must name a subnet without _ in its name: Flex Consumption joins no other.' : ''
  (empty(endpointsSubnetId) || isIdOf(endpointsSubnetId, 'microsoft.network/virtualnetworks/subnets')) ? '' : 'endpointsSubnetId must be the id of a subnet.'
  (dependenciesPrivate && empty(appSubnetId) != empty(endpointsSubnetId)) ? 'appSubnetId and endpointsSubnetId must be given both or neither.' : ''
  (!empty(appSubnetId) && toLower(appSubnetId) == toLower(endpointsSubnetId)) ? 'endpointsSubnetId must be another subnet than appSubnetId, which only the app may use.' : ''
  (!dependenciesPrivate && !empty(endpointsSubnetId)) ? 'endpointsSubnetId needs network private or private-dependencies: there are no endpoints.' : ''
  (empty(dnsZonesGroupId) || isGroupId(dnsZonesGroupId)) ? '' : 'dnsZonesGroupId must be the id of a resource group.'
  (!dependenciesPrivate && !empty(dnsZonesGroupId)) ? 'dnsZonesGroupId needs network private or private-dependencies: there are no endpoints.' : ''
  (natGateway && !empty(appSubnetId)) ? 'natGateway belongs to the environment\'s own network: an existing subnet has its own way out.' : ''
  hasTwice(alertEmails) ? 'alertEmails must name each address once.' : ''
  empty(filter(alertEmails, one => !isEmail(one))) ? '' : 'alertEmails must be email addresses.'
  empty(filter(alertEmails, one => contains(exampleDomains, toLower(last(split(one, '@')))))) ? '' : 'alertEmails must be addresses that somebody reads, not those of the example.'
  empty(filter(alertWebhooks, one => !empty(one) && !isReceiver(one))) ? '' : 'alertWebhooks must be https:// addresses.'
  empty(filter(alertTextMessages, one => !empty(one) && !isPhone(one))) ? '' : 'alertTextMessages must be a country code and a number each, such as 1 5551234567.'
  hasTwice(filter(alertTextMessages, one => !empty(one))) ? 'alertTextMessages must name each number once.' : ''
  empty(filter(alertCalls, one => !empty(one) && !isPhone(one))) ? '' : 'alertCalls must be a country code and a number each, such as 1 5551234567.'
  hasTwice(filter(alertCalls, one => !empty(one))) ? 'alertCalls must name each number once.' : ''
  (alertsEnabled && isSchedule(schedule) && !isNightly(schedule)) ? 'alertsEnabled needs a schedule that alerts can follow: plain minutes and hours, every month, no steps.' : ''
  (empty(frontDoorId) || isGuid(frontDoorId)) ? '' : 'frontDoorId must be the id that the Front Door sends in X-Azure-FDID.'
  empty(filter(gatewayNetworks, one => !isNetwork(one))) ? '' : 'proxyNetworks must be networks such as 203.0.113.0/24, comma separated.'
  (behindProxy && trustedProxies < 2) ? 'trustedProxies must be 2 or more with frontDoorId or proxyNetworks: they name the others.' : ''
  (empty(publicUrl) || isHttpsHost(publicUrl)) ? '' : 'publicUrl must be an https:// address without a path and a slash at its end.'
  empty(filter(corsOriginList, one => !isOrigin(one))) ? '' : 'corsOrigins must be origins such as https://admin.example.org, in small letters, comma separated.'
  (empty(otlpEndpoint) || isHttps(otlpEndpoint)) ? '' : 'otlpEndpoint must be an https:// address.'
  isPrintable(eventSource) ? '' : 'eventSource must consist of printable characters of ASCII without blanks.'
  (empty(eventGridTopicId) || isIdOf(eventGridTopicId, 'microsoft.eventgrid/topics')) ? '' : 'eventGridTopicId must be the id of an Event Grid topic.'
  hasTwice(map(receivers, one => one.id)) ? 'webhooks must have each endpoint_id once.' : ''
  contains(map(receivers, one => one.id), 'event-grid') ? 'webhooks must not have the endpoint_id event-grid: it is that of eventGridTopicId.' : ''
  empty(filter(receivers, one => !isName(one.id, '-', 63) || toLower(one.id) != one.id || startsWith(one.id, '-'))) ? '' : 'webhooks must have an endpoint_id of small letters, digits and - each.'
  empty(filter(receivers, one => !isReceiver(one.url))) ? '' : 'webhooks must have an https:// url without user and fragment each.'
  empty(filter(receivers, one => !isName(one.secret, '-', 127))) ? '' : 'webhooks must have the secret_name of a secret in the vault each.'
  empty(filter(receivers, one => empty(one.types) || length(union(one.types, eventTypes)) > length(eventTypes))) ? '' : 'webhooks must have types of events that there are: see docs/events.md.'
  empty(filter(receivers, one => !empty(one.others))) ? '' : 'webhooks must have no members but endpoint_id, url, types and secret_name.'
], sentence => !empty(sentence))
var checkedName = empty(refusals) ? environmentName : fail(join(refusals, ' '))

var token = toLower(uniqueString(subscription().id, checkedName, location))
var tags = {
  'azd-env-name': checkedName
  application: 'portfolio-analysis'
}
var issuer = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
var assertionSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'

// Names are made here: a preview can show a resource only if no other resource has to exist before its name is known.
var identityName = 'id-${token}'
var deploymentIdentityName = 'id-deploy-${token}'
var componentName = 'appi-${token}'
var storageName = 'st${token}'
var packageStorageName = 'stpkg${token}'
var packageContainerName = 'app-package'
var reportsContainerName = 'reports'
var vaultName = 'kv-${token}'
var clusterName = empty(mongodbClusterName) ? 'mongo-${token}' : mongodbClusterName
var cacheName = 'redis-${token}'
var schedulerName = 'dts-${token}'
var taskHubName = 'PortfolioAnalysis'
var networkName = 'vnet-${token}'
var appName = 'func-portfolio-${token}'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-portfolio-${checkedName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: {
    location: location
    tags: tags
    name: identityName
  }
}

module deploymentIdentity 'modules/identity.bicep' = {
  scope: group
  name: 'deployment-identity'
  params: {
    location: location
    tags: tags
    name: deploymentIdentityName
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: {
    location: location
    tags: tags
    workspaceName: 'log-${token}'
    componentName: componentName
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    location: location
    tags: tags
    name: storageName
    containerName: reportsContainerName
    reportRetentionDays: lakeRetentionDays
    private: dependenciesPrivate
    zoneRedundant: highlyAvailable
    workspaceId: monitoring.outputs.workspaceId
  }
}

module package 'modules/storage.bicep' = {
  scope: group
  name: 'package'
  params: {
    location: location
    tags: tags
    name: packageStorageName
    containerName: packageContainerName
    reportRetentionDays: 0
    private: dependenciesPrivate
    zoneRedundant: highlyAvailable
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  name: 'vault'
  params: {
    location: location
    tags: tags
    name: vaultName
    private: dependenciesPrivate
    workspaceId: monitoring.outputs.workspaceId
  }
}

module database 'modules/mongodb.bicep' = if (mongodb == 'cluster') {
  scope: group
  name: 'mongodb'
  params: {
    location: location
    tags: tags
    name: clusterName
    tier: mongodbTier
    storageGb: mongodbStorageGb
    highlyAvailable: highlyAvailable
    passwordSignIn: mongodbPasswordSignIn
    private: dependenciesPrivate
    workspaceId: monitoring.outputs.workspaceId
    commandLogs: mongodbCommandLogs
  }
}

module databaseUsers 'modules/mongodb-users.bicep' = if (mongodb == 'cluster') {
  scope: group
  name: 'mongodb-users'
  params: {
    clusterName: clusterName
    databaseName: mongodbDatabase
    appRole: mongodbAppRole
    #disable-next-line what-if-short-circuiting // the service names the user by this id; a module of its own keeps that here
    principalId: identity.outputs.principalId
    administratorIds: mongodbAdministratorIds
  }
  dependsOn: [database]
}

module cache 'modules/redis.bicep' = if (redis == 'managed') {
  scope: group
  name: 'redis'
  params: {
    location: location
    tags: tags
    name: cacheName
    sku: redisSku
    highlyAvailable: highlyAvailable
    private: dependenciesPrivate
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module scheduler 'modules/scheduler.bicep' = if (durableBackend == 'scheduler') {
  scope: group
  name: 'scheduler'
  params: {
    location: location
    tags: tags
    name: schedulerName
    taskHubName: taskHubName
    private: dependenciesPrivate
    clientId: identity.outputs.clientId
  }
}

module roles 'modules/roles.bicep' = {
  scope: group
  name: 'roles'
  params: {
    identityName: identityName
    principalId: identity.outputs.principalId
    deploymentIdentityName: deploymentIdentityName
    deploymentPrincipalId: deploymentIdentity.outputs.principalId
    storageName: storageName
    packageStorageName: packageStorageName
    packageContainerName: packageContainerName
    vaultName: vaultName
    componentName: componentName
    schedulerName: (durableBackend == 'scheduler') ? schedulerName : ''
    taskHubName: taskHubName
  }
  dependsOn: [monitoring, storage, package, vault, scheduler]
}

// Without a topic these are names that nothing is looked up by.
var topicId = empty(eventGridTopicId) ? '${group.id}/providers/Microsoft.EventGrid/topics/none' : eventGridTopicId

module topic 'modules/event-grid.bicep' = if (!empty(eventGridTopicId)) {
  scope: resourceGroup(split(topicId, '/')[2], split(topicId, '/')[4])
  name: 'event-grid-${token}'
  params: {
    topicName: last(split(topicId, '/'))
    identityName: identityName
    principalId: identity.outputs.principalId
  }
}

var ownNetwork = (dependenciesPrivate || natGateway) && empty(appSubnetId)
var joinsNetwork = ownNetwork || !empty(appSubnetId)
var ownNetworkId = '${group.id}/providers/Microsoft.Network/virtualNetworks/${networkName}'
var usedAppSubnetId = ownNetwork ? '${ownNetworkId}/subnets/app' : appSubnetId
var usedEndpointsSubnetId = empty(endpointsSubnetId) ? '${ownNetworkId}/subnets/endpoints' : endpointsSubnetId

module virtualNetwork 'modules/network.bicep' = if (ownNetwork) {
  scope: group
  name: 'network'
  params: {
    location: location
    tags: tags
    name: networkName
    addressPrefix: addressPrefix
    natGateway: natGateway
  }
}

var storageId = '${group.id}/providers/Microsoft.Storage/storageAccounts/${storageName}'
var packageStorageId = '${group.id}/providers/Microsoft.Storage/storageAccounts/${packageStorageName}'
var vaultId = '${group.id}/providers/Microsoft.KeyVault/vaults/${vaultName}'
var clusterId = '${group.id}/providers/Microsoft.DocumentDB/mongoClusters/${clusterName}'
var cacheId = '${group.id}/providers/Microsoft.Cache/redisEnterprise/${cacheName}'
var schedulerId = '${group.id}/providers/Microsoft.DurableTask/schedulers/${schedulerName}'
// The zones of the public cloud, as those of the services below: environment() is not known to a preview.
#disable-next-line no-hardcoded-env-urls
var storageZone = 'core.windows.net'
var services = filter([
  { there: true, name: 'blob', id: storageId, group: 'blob', zone: 'privatelink.blob.${storageZone}' }
  { there: true, name: 'queue', id: storageId, group: 'queue', zone: 'privatelink.queue.${storageZone}' }
  { there: true, name: 'table', id: storageId, group: 'table', zone: 'privatelink.table.${storageZone}' }
  { there: true, name: 'package', id: packageStorageId, group: 'blob', zone: 'privatelink.blob.${storageZone}' }
  { there: true, name: 'vault', id: vaultId, group: 'vault', zone: 'privatelink.vaultcore.azure.net' }
  { there: mongodb == 'cluster', name: 'mongodb', id: clusterId, group: 'MongoCluster', zone: 'privatelink.mongocluster.cosmos.azure.com' }
  { there: redis == 'managed', name: 'redis', id: cacheId, group: 'redisEnterprise', zone: 'privatelink.redis.azure.net' }
  { there: durableBackend == 'scheduler', name: 'scheduler', id: schedulerId, group: 'scheduler', zone: 'privatelink.durabletask.io' }
], service => service.there)

module access 'modules/private-access.bicep' = if (dependenciesPrivate) {
  scope: group
  name: 'private-access'
  params: {
    location: location
    tags: tags
    services: services
    subnetId: usedEndpointsSubnetId
    networkId: split(usedAppSubnetId, '/subnets/')[0]
    zonesGroupId: dnsZonesGroupId
  }
  dependsOn: [virtualNetwork, storage, package, vault, database, cache, scheduler]
}

// Every setting in docs/settings.md except the secrets, which the vault holds.
var analysisSettings = {
  KEY_VAULT_URL: vault.outputs.uri
  MONGODB_URL: (mongodb == 'cluster') ? database!.outputs.url : ''
  MONGODB_DATABASE: mongodbDatabase
  FIELDS: fields
  REDIS_URL: (redis == 'managed') ? cache!.outputs.url : ''
  MARKET_DATA_PROVIDER: marketDataProvider
  BASE_CURRENCY: baseCurrency
  ALPACA_FEED: alpacaFeed
  MARKET_DATA_REQUESTS_PER_MINUTE: (marketDataRequestsPerMinute > 0) ? string(marketDataRequestsPerMinute) : ''
  MARKET_DATA_CONCURRENCY: string(marketDataConcurrency)
  BENCHMARK_SYMBOL: benchmarkSymbol
  RISK_FREE_RATE: riskFreeRate
  ANALYSIS_SCHEDULE: schedule
  ANALYSIS_PAGE_SIZE: string(pageSize)
  ANALYSIS_MIN_SUCCESS_RATE: minSuccessRate
  ANALYSIS_LOOKBACK_DAYS: string(lookbackDays)
  WATCHLIST_UNKNOWN_LIMIT: string(watchlistUnknownLimit)
  ANALYSIS_STALL_SECONDS: string(stallSeconds)
  ANALYSIS_RETENTION_DAYS: string(retentionDays)
  AUDIT_RETENTION_DAYS: string(auditRetentionDays)
  LAKE_URL: lakeEnabled ? storage.outputs.containerUri : ''
  REPORTS_KEPT_NIGHTS: lakeEnabled ? string(reportsKeptNights) : ''
  TRUSTED_PROXIES: string(trustedProxies)
  FRONT_DOOR_ID: frontDoorId
  PROXY_NETWORKS: proxyNetworks
  CORS_ORIGINS: corsOrigins
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint
  JWT_ISSUER: jwtIssuer
  JWT_AUDIENCE: jwtAudience
  ME_API: personsApiEnabled ? '1' : '0'
  ME_SUBJECT_CLAIM: personsSubjectClaim
  DIGEST: nightlyDigest ? '1' : '0'
  WEBHOOKS: empty(webhooks) ? '' : string(webhooks)
  EVENT_SOURCE: eventSource
  EVENT_GRID_ENDPOINT: empty(eventGridTopicId) ? '' : topic!.outputs.endpoint
  OIDC_ISSUER: empty(signInClientId) ? '' : issuer
  OIDC_AUDIENCE: signInClientId
  OIDC_ADMIN_ROLE: empty(signInClientId) ? '' : signInAdminRole
  // Disables only this function: the watchdog's timer still fires.
  'AzureWebJobs.nightly_analysis.Disabled': nightlyTimerEnabled ? 'false' : 'true'
  // Read by preflight, which reports a timer without alerts.
  ALERTS_ENABLED: alertsEnabled ? 'true' : 'false'
}

module app 'modules/app.bicep' = {
  scope: group
  name: 'app'
  params: {
    location: location
    tags: tags
    planName: 'plan-${token}'
    name: appName
    serviceName: 'api'
    identityId: identity.outputs.id
    deploymentIdentityId: deploymentIdentity.outputs.id
    identityClientId: identity.outputs.clientId
    packageContainerUri: package.outputs.containerUri
    blobUri: storage.outputs.blobUri
    queueUri: storage.outputs.queueUri
    tableUri: storage.outputs.tableUri
    componentName: componentName
    workspaceId: monitoring.outputs.workspaceId
    instanceMemoryMb: instanceMemoryMb
    maximumInstances: maximumInstances
    alwaysReadyInstances: alwaysReadyInstances
    zoneRedundant: highlyAvailable
    siteUpdate: siteUpdate
    requestBodyLimitBytes: requestBodyLimitBytes
    private: everythingPrivate
    frontDoorId: frontDoorId
    proxyNetworks: proxyNetworks
    subnetId: joinsNetwork ? usedAppSubnetId : ''
    settings: analysisSettings
    engineSettings: (durableBackend == 'scheduler') ? { DURABLE_TASK_SCHEDULER: scheduler!.outputs.address } : {}
    signInSettings: platformSignIn ? { '${assertionSetting}': identity.outputs.clientId } : {}
  }
  // The app may start as soon as it exists.
  dependsOn: [roles, access, virtualNetwork, databaseUsers]
}

module accessOfApp 'modules/private-access.bicep' = if (everythingPrivate) {
  scope: group
  name: 'private-access-of-app'
  params: {
    location: location
    tags: tags
    services: [
      { name: 'app', id: '${group.id}/providers/Microsoft.Web/sites/${appName}', group: 'sites', zone: 'privatelink.azurewebsites.net' }
    ]
    subnetId: usedEndpointsSubnetId
    networkId: split(usedAppSubnetId, '/subnets/')[0]
    zonesGroupId: dnsZonesGroupId
  }
  dependsOn: [app, access]
}

module signIn 'modules/sign-in.bicep' = {
  scope: group
  name: 'sign-in'
  params: {
    appName: appName
    enabled: platformSignIn
    clientId: signInClientId
    issuer: issuer
    assertionSettingName: assertionSetting
  }
  dependsOn: [app]
}

module operators 'modules/operators.bicep' = if (!empty(operatorsGroupId)) {
  scope: group
  name: 'operators'
  params: {
    groupId: operatorsGroupId
    vaultName: vaultName
    appName: appName
    storageName: storageName
    reportsContainerName: reportsContainerName
    alertsPrefix: 'portfolio-${checkedName}'
  }
  dependsOn: [vault, app, storage, alerts]
}

module locks 'modules/locks.bicep' = if (deleteLocks) {
  scope: group
  name: 'locks'
  params: {
    storageName: storageName
    vaultName: vaultName
    clusterName: (mongodb == 'cluster') ? clusterName : ''
  }
  dependsOn: [storage, vault, database]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    location: location
    tags: tags
    prefix: 'portfolio-${checkedName}'
    componentId: monitoring.outputs.componentId
    workspaceId: monitoring.outputs.workspaceId
    emails: alertEmails
    webhooks: alertWebhooks
    textMessages: alertTextMessages
    calls: alertCalls
    schedule: schedule
    deadlineMinutes: deadlineMinutes
    failedUsersPercent: failedUsersPercent
    failedUsersMinimum: failedUsersMinimum
    enabled: alertsEnabled
  }
}

module metricAlerts 'modules/metric-alerts.bicep' = {
  scope: group
  name: 'metric-alerts'
  params: {
    tags: tags
    prefix: 'portfolio-${checkedName}'
    hasMongodb: mongodb == 'cluster'
    mongodbId: (mongodb == 'cluster') ? clusterId : ''
    hasRedis: redis == 'managed'
    redisId: (redis == 'managed') ? cacheId : ''
    storageId: storageId
    actionGroupId: alerts.outputs.actionGroupId
    enabled: alertsEnabled
  }
  // The service refuses a rule about what is not there yet; the ids do not make it wait.
  dependsOn: [storage, database, cache]
}

// The test comes from the internet, so it needs an address that is open to it.
var isClosed = everythingPrivate || (empty(publicUrl) && !(empty(frontDoorId) && empty(proxyNetworks)))

module availability 'modules/availability.bicep' = {
  scope: group
  name: 'availability'
  params: {
    location: location
    tags: tags
    prefix: 'portfolio-${checkedName}'
    url: empty(publicUrl) ? app.outputs.url : publicUrl
    componentId: monitoring.outputs.componentId
    actionGroupId: alerts.outputs.actionGroupId
    onCallGroupId: alerts.outputs.onCallGroupId
    // Always there: a test that is only left out would go on, against an address that is closed to it.
    enabled: alertsEnabled && availabilityTest && !isClosed
  }
}

module budget 'modules/budget.bicep' = {
  scope: group
  name: 'budget'
  params: {
    name: 'portfolio-${checkedName}'
    amount: budgetAmount
    startDate: budgetStartDate
    actionGroupId: alerts.outputs.actionGroupId
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  name: 'workbook'
  params: {
    location: location
    tags: tags
    title: 'Portfolio analysis (${checkedName})'
    componentId: monitoring.outputs.componentId
  }
}

module names 'modules/names.bicep' = {
  scope: group
  name: 'names'
  params: {
    location: location
    appName: appName
    vaultName: vaultName
    storageName: storageName
    clusterId: (mongodb == 'cluster') ? clusterId : ''
    appUserId: (mongodb == 'cluster') ? '${clusterId}/users/${identity.outputs.principalId}' : ''
    componentId: monitoring.outputs.componentId
    url: empty(publicUrl) ? app.outputs.url : publicUrl
    outboundAddress: ownNetwork ? virtualNetwork!.outputs.address : ''
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_NAME string = appName
output AZURE_KEY_VAULT_NAME string = vaultName
output STORAGE_ACCOUNT_NAME string = storageName
output MONGODB_CLUSTER_ID string = (mongodb == 'cluster') ? clusterId : ''
// The app's user in the cluster: what else may use the database gets the same right, see scripts/grant-staging.
output MONGODB_APP_USER_ID string = (mongodb == 'cluster') ? '${clusterId}/users/${identity.outputs.principalId}' : ''
output APPLICATION_INSIGHTS_ID string = monitoring.outputs.componentId
output APP_URL string = empty(publicUrl) ? app.outputs.url : publicUrl
output OUTBOUND_ADDRESS string = ownNetwork ? virtualNetwork!.outputs.address : ''
