// The function app on its own Flex Consumption plan, with every setting that the code and the platform read.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Name of the plan.')
param planName string
@description('Name of the app, also used in its address.')
@minLength(2)
@maxLength(60)
param name string
@description('Tag that identifies the app to azd.')
param serviceName string
@description('Id of the identity that the app\'s code uses.')
param identityId string
@description('Id of the identity that reads and replaces the deployment package.')
param deploymentIdentityId string
@description('Client id of the identity that the app\'s code uses.')
param identityClientId string
@description('Container that holds the deployment package.')
param packageContainerUri string
@description('Address of the storage account\'s blobs.')
param blobUri string
@description('Address of the storage account\'s queues.')
param queueUri string
@description('Address of the storage account\'s tables.')
param tableUri string
@description('Name of the Application Insights component.')
param componentName string
@description('Id of the workspace for metrics.')
param workspaceId string
@description('Memory of an instance, in MB: 2048 has one core, 4096 has two.')
@allowed([2048, 4096])
param instanceMemoryMb int
@description('Maximum number of instances.')
@minValue(1)
@maxValue(1000)
param maximumInstances int
@description('Always-ready instances for HTTP requests, billed by the hour; 0 for none.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int
@description('Whether instances are spread over zones; at least two are then always ready in each group that scales.')
param zoneRedundant bool
@description('How instances take a change: Recreate stops them, RollingUpdate (preview) lets them finish.')
@allowed(['Recreate', 'RollingUpdate'])
param siteUpdate string
@description('Bytes of a body above which the host rejects it.')
@minValue(65536)
@maxValue(131072)
param requestBodyLimitBytes int
@description('Whether the app is reachable through a private endpoint only.')
param private bool
@description('Id of the Front Door that the app is reachable through; empty for none.')
param frontDoorId string
@description('Networks of the gateway that the app is reachable through, comma separated; empty for none.')
param proxyNetworks string
@description('Id of the subnet that instances join; empty for none.')
param subnetId string
@description('Settings that the code reads, by name; an empty value counts as not set.')
param settings object
@description('Settings of the engine, if it is not the storage account.')
param engineSettings object
@description('Settings of the platform\'s sign-in, if it is enabled.')
param signInSettings object

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyInstances
  }
]

var frontDoorRules = [
  {
    name: 'front-door'
    priority: 100
    action: 'Allow'
    tag: 'ServiceTag'
    ipAddress: 'AzureFrontDoor.Backend'
    // Without it, every Front Door of every customer would be let in.
    headers: {
      'x-azure-fdid': [frontDoorId]
    }
  }
]
var networks = empty(proxyNetworks) ? [] : split(proxyNetworks, ',')
var gatewayRules = [for (network, number) in networks: {
  name: 'gateway-${number}'
  priority: 200 + number
  action: 'Allow'
  ipAddress: trim(network)
}]

// Flex Consumption runs one worker process per instance and does not support FUNCTIONS_WORKER_PROCESS_COUNT, so one process
// needs the threads of two: more than the concurrent activities and orchestrations in host.json. HTTP has its own instances,
// with one request per thread, because a console that sends several requests at once is one client.
var threads = 8

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': serviceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
      '${deploymentIdentityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      // Behind a Front Door or a gateway nobody else may call the app: see docs/security.md. Deployments go to the other host
      // name (scm), which needs an identity with a role.
      ipSecurityRestrictions: concat(empty(frontDoorId) ? [] : frontDoorRules, gatewayRules)
      ipSecurityRestrictionsDefaultAction: (empty(frontDoorId) && empty(proxyNetworks)) ? 'Allow' : 'Deny'
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUri
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: deploymentIdentityId
          }
        }
      }
      #disable-next-line BCP037 // documented, but not in the published types of this version
      siteUpdateStrategy: {
        type: siteUpdate
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMb
        maximumInstanceCount: maximumInstances
        alwaysReady: (alwaysReadyInstances > 0) ? alwaysReady : []
        triggers: {
          http: {
            perInstanceConcurrency: threads
          }
        }
      }
    }
  }
}

var platformSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: blobUri
  AzureWebJobsStorage__queueServiceUri: queueUri
  AzureWebJobsStorage__tableServiceUri: tableUri
  APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // The identity for the SDKs, because the app has two.
  AZURE_CLIENT_ID: identityClientId
  // Other credential types are not tried, because each attempt takes time.
  AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
  PYTHON_THREADPOOL_THREAD_COUNT: string(threads)
  // Pages already use every core; further threads of the linear algebra only wait for each other.
  OPENBLAS_NUM_THREADS: '1'
  // Without AVX-512, with which numpy selects the worst returns five times as slowly on AMD's Zen 4.
  NPY_DISABLE_CPU_FEATURES: 'X86_V4'
  // The API accepts 64 KB and answers 413 above that. Before that, host and worker would buffer up to 100 MB of any request;
  // above this limit the host rejects it at once.
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: string(requestBodyLimitBytes)
  // No platform page at /, which would reveal what runs here.
  AzureWebJobsDisableHomepage: 'true'
  // The worker exports lines, spans and metrics itself; without this the host would send each line a second time.
  PYTHON_ENABLE_OPENTELEMETRY: 'true'
  // Without this the host uses gRPC, which collectors do not accept on the workers' port.
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf'
}

resource appSettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, settings, engineSettings, signInSettings)
}

// Deployments use an identity; basic authentication would be one more access path.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  #disable-next-line BCP187 // not in the published type, but the service refuses the policy without it
  location: location
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  #disable-next-line BCP187 // not in the published type, but the service refuses the policy without it
  location: location
  properties: {
    allow: false
  }
}

// Metrics only: log lines are in Application Insights, and sending them here would cost twice.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output url string = 'https://${app.properties.defaultHostName}'
