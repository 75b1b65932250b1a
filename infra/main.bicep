// One environment: a resource group with the app and its dependencies. See docs/deployment.md; each parameter documents its
// allowed values. No parameter and no output is a secret.
targetScope = 'subscription'

@description('Name of the environment, such as staging or production.')
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

@description('Orchestration engine: the storage account, or the Durable Task Scheduler. The package must be built for the same engine.')
@allowed(['storage', 'scheduler'])
param durableBackend string = 'storage'

@description('cluster creates a MongoDB cluster for the app; given uses the connection string in the vault, mongodb-url.')
@allowed(['cluster', 'given'])
param mongodb string = 'given'

@description('Size of the MongoDB cluster.')
@allowed(['M10', 'M20', 'M30', 'M40', 'M50', 'M60', 'M80', 'M200'])
param mongodbTier string = 'M30'

@description('GB of disk of the MongoDB cluster.')
@minValue(32)
@maxValue(16384)
param mongodbStorageGb int = 128

@description('Object id of the MongoDB cluster\'s administrator; empty for none.')
@maxLength(36)
param mongodbAdministratorId string = ''

@description('Whether the MongoDB cluster logs every command with its text, which contains personal data; requires a tier above M30. A million users add gigabytes a night: raise logDailyCapGb first.')
param mongodbCommandLogs bool = false

@description('managed creates an Azure Managed Redis; none creates no Redis and uses the URL in the vault, redis-url, if present.')
@allowed(['managed', 'none'])
param redis string = 'managed'

@description('Size of the Redis cache: B0 has 0.5 GB, B1 has 1, B3 has 3, B5 has 6.')
@allowed(['Balanced_B0', 'Balanced_B1', 'Balanced_B3', 'Balanced_B5', 'Balanced_B10'])
param redisSku string = 'Balanced_B0'

@description('Whether MongoDB, Redis and storage survive the loss of a zone.')
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

@description('Object id of the group that may set secrets in the vault; empty for none.')
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

@description('Minutes after its scheduled start by which the nightly run must have completed.')
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

@description('First day of the month in which the budget was created, such as 2026-12-01; it cannot be changed later.')
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

@description('Market data provider.')
@allowed(['alpaca', 'alphavantage', 'csv', 'sample'])
param marketDataProvider string

@description('Folder of price files, for csv.')
@maxLength(200)
param pricesDir string = ''

@description('Folder of exchange rates; empty for pricesDir, or the provider\'s own rates.')
@maxLength(200)
param ratesDir string = ''

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

@description('Receivers of events: a JSON array of objects with endpoint_id, url, types and secret_name; empty for none. The vault holds the secrets.')
@maxLength(8192)
param webhooks string = ''

@description('Source of the events, a URI reference; receivers tell environments apart by it.')
@minLength(1)
@maxLength(256)
param eventSource string = '/portfolio-analysis'

@description('Event Grid topic that gets the events, such as https://TOPIC.REGION-1.eventgrid.azure.net/api/events; empty for none.')
@maxLength(200)
param eventGridEndpoint string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
  application: 'portfolio-analysis'
}
var dependenciesPrivate = network != 'public'
var everythingPrivate = network == 'private'
var issuer = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
var signInSecretSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
var signInOn = platformSignIn && !empty(signInClientId)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-portfolio-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: {
    location: location
    tags: tags
    name: 'id-${token}'
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: {
    location: location
    tags: tags
    workspaceName: 'log-${token}'
    componentName: 'appi-${token}'
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    principalId: identity.outputs.principalId
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    location: location
    tags: tags
    name: 'st${token}'
    packageContainerName: 'app-package'
    lakeContainerName: 'reports'
    lakeRetentionDays: lakeRetentionDays
    private: dependenciesPrivate
    zoneRedundant: highlyAvailable
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  name: 'vault'
  params: {
    location: location
    tags: tags
    name: 'kv-${token}'
    private: dependenciesPrivate
    principalId: identity.outputs.principalId
    operatorsGroupId: operatorsGroupId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module database 'modules/mongodb.bicep' = if (mongodb == 'cluster') {
  scope: group
  name: 'mongodb'
  params: {
    location: location
    tags: tags
    name: 'mongo-${token}'
    tier: mongodbTier
    storageGb: mongodbStorageGb
    highlyAvailable: highlyAvailable
    private: dependenciesPrivate
    databaseName: mongodbDatabase
    principalId: identity.outputs.principalId
    administratorId: mongodbAdministratorId
    workspaceId: monitoring.outputs.workspaceId
    commandLogs: mongodbCommandLogs
  }
}

module cache 'modules/redis.bicep' = if (redis == 'managed') {
  scope: group
  name: 'redis'
  params: {
    location: location
    tags: tags
    name: 'redis-${token}'
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
    name: 'dts-${token}'
    taskHubName: 'PortfolioAnalysis'
    private: dependenciesPrivate
    principalId: identity.outputs.principalId
    clientId: identity.outputs.clientId
  }
}

module virtualNetwork 'modules/network.bicep' = if (dependenciesPrivate) {
  scope: group
  name: 'network'
  params: {
    location: location
    tags: tags
    name: 'vnet-${token}'
    addressPrefix: addressPrefix
  }
}

var storageZone = environment().suffixes.storage
var storageServices = [
  { name: 'blob', id: storage.outputs.id, group: 'blob', zone: 'privatelink.blob.${storageZone}' }
  { name: 'queue', id: storage.outputs.id, group: 'queue', zone: 'privatelink.queue.${storageZone}' }
  { name: 'table', id: storage.outputs.id, group: 'table', zone: 'privatelink.table.${storageZone}' }
]
var vaultService = [
  { name: 'vault', id: vault.outputs.id, group: 'vault', zone: 'privatelink.vaultcore.azure.net' }
]
var databaseService = (mongodb == 'cluster') ? [
  { name: 'mongodb', id: database!.outputs.id, group: 'MongoCluster', zone: 'privatelink.mongocluster.cosmos.azure.com' }
] : []
var cacheService = (redis == 'managed') ? [
  { name: 'redis', id: cache!.outputs.id, group: 'redisEnterprise', zone: 'privatelink.redis.azure.net' }
] : []
var schedulerService = (durableBackend == 'scheduler') ? [
  { name: 'scheduler', id: scheduler!.outputs.id, group: 'scheduler', zone: 'privatelink.durabletask.io' }
] : []

module endpoints 'modules/private-endpoints.bicep' = if (dependenciesPrivate) {
  scope: group
  name: 'endpoints'
  params: {
    location: location
    tags: tags
    services: concat(storageServices, vaultService, databaseService, cacheService, schedulerService)
    networkId: virtualNetwork!.outputs.id
    subnetId: virtualNetwork!.outputs.endpointsSubnetId
  }
}

// Every setting in docs/settings.md except the secrets, which the vault holds.
var analysisSettings = {
  KEY_VAULT_URL: vault.outputs.uri
  MONGODB_URL: (mongodb == 'cluster') ? database!.outputs.url : ''
  MONGODB_DATABASE: mongodbDatabase
  REDIS_URL: (redis == 'managed') ? cache!.outputs.url : ''
  MARKET_DATA_PROVIDER: marketDataProvider
  PRICES_DIR: pricesDir
  RATES_DIR: ratesDir
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
  LAKE_URL: lakeEnabled ? storage.outputs.lakeUri : ''
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
  WEBHOOKS: webhooks
  EVENT_SOURCE: eventSource
  EVENT_GRID_ENDPOINT: eventGridEndpoint
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
    name: 'func-portfolio-${token}'
    serviceName: 'api'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    packageContainerUri: storage.outputs.packageContainerUri
    blobUri: storage.outputs.blobUri
    queueUri: storage.outputs.queueUri
    tableUri: storage.outputs.tableUri
    componentName: monitoring.outputs.componentName
    workspaceId: monitoring.outputs.workspaceId
    instanceMemoryMb: instanceMemoryMb
    maximumInstances: maximumInstances
    alwaysReadyInstances: alwaysReadyInstances
    private: everythingPrivate
    frontDoorId: frontDoorId
    proxyNetworks: proxyNetworks
    subnetId: dependenciesPrivate ? virtualNetwork!.outputs.appSubnetId : ''
    settings: analysisSettings
    engineSettings: (durableBackend == 'scheduler') ? { DURABLE_TASK_SCHEDULER: scheduler!.outputs.address } : {}
    signInSettings: signInOn ? { '${signInSecretSetting}': identity.outputs.clientId } : {}
  }
  // The app may start as soon as it exists.
  dependsOn: [endpoints]
}

module appEndpoint 'modules/private-endpoint.bicep' = if (everythingPrivate) {
  scope: group
  name: 'endpoint-app'
  params: {
    location: location
    tags: tags
    name: 'pe-app'
    serviceId: app.outputs.id
    groupId: 'sites'
    zoneName: 'privatelink.azurewebsites.net'
    networkId: virtualNetwork!.outputs.id
    subnetId: virtualNetwork!.outputs.endpointsSubnetId
  }
}

module signIn 'modules/sign-in.bicep' = if (signInOn) {
  scope: group
  name: 'sign-in'
  params: {
    appName: app.outputs.name
    clientId: signInClientId
    issuer: issuer
    secretSettingName: signInSecretSetting
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    location: location
    tags: tags
    prefix: 'portfolio-${environmentName}'
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
    prefix: 'portfolio-${environmentName}'
    hasMongodb: mongodb == 'cluster'
    mongodbId: (mongodb == 'cluster') ? database!.outputs.id : ''
    hasRedis: redis == 'managed'
    redisId: (redis == 'managed') ? cache!.outputs.id : ''
    storageId: storage.outputs.id
    actionGroupId: alerts.outputs.actionGroupId
    enabled: alertsEnabled
  }
}

// The test comes from the internet, so it needs an address that is open to it.
var isClosed = everythingPrivate || (empty(publicUrl) && !(empty(frontDoorId) && empty(proxyNetworks)))

module availability 'modules/availability.bicep' = if (!isClosed) {
  scope: group
  name: 'availability'
  params: {
    location: location
    tags: tags
    prefix: 'portfolio-${environmentName}'
    url: empty(publicUrl) ? app.outputs.url : publicUrl
    componentId: monitoring.outputs.componentId
    actionGroupId: alerts.outputs.actionGroupId
    onCallGroupId: alerts.outputs.onCallGroupId
    enabled: alertsEnabled && availabilityTest
  }
}

module budget 'modules/budget.bicep' = {
  scope: group
  name: 'budget'
  params: {
    name: 'portfolio-${environmentName}'
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
    title: 'Portfolio analysis (${environmentName})'
    componentId: monitoring.outputs.componentId
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_NAME string = app.outputs.name
output AZURE_KEY_VAULT_NAME string = vault.outputs.name
output APP_URL string = empty(publicUrl) ? app.outputs.url : publicUrl
output APPLICATION_INSIGHTS_ID string = monitoring.outputs.componentId
