// The function app on a Flex Consumption plan of its own, with every setting that the code and the platform read.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Name of the plan.')
param planName string
@description('Name of the app, and so of its address.')
@minLength(2)
@maxLength(60)
param name string
@description('Tag by which azd finds the app.')
param serviceName string
@description('Id of the app\'s identity.')
param identityId string
@description('Client id of the app\'s identity.')
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
@description('Id of the workspace that metrics go to.')
param workspaceId string
@description('MB of an instance. One core has 2048, two have 4096.')
@allowed([2048, 4096])
param instanceMemoryMb int
@description('Most instances at once.')
@minValue(1)
@maxValue(1000)
param maximumInstances int
@description('Instances that wait for HTTP requests, and cost by the hour; 0 for none.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int
@description('Whether it can be reached through a private endpoint only.')
param private bool
@description('Id of the subnet that instances join; empty for none.')
param subnetId string
@description('Settings that the code reads, by name; an empty one counts as not set.')
param settings object
@description('Settings of the engine, where it is not the storage account.')
param engineSettings object
@description('Settings of the platform\'s sign-in, where it is on.')
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
  }
}

var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyInstances
  }
]

// Flex Consumption runs one worker process an instance and knows no FUNCTIONS_WORKER_PROCESS_COUNT, so that one process
// must have the threads that two share elsewhere: more than host.json's activities and orchestrations at once. HTTP has
// instances of its own: each takes a request a thread, since a console that asks several things at once is one caller.
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
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUri
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
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
  // Which identity the SDKs sign in with, where an app could have several.
  AZURE_CLIENT_ID: identityClientId
  // No other way to sign in is tried, each of which would take its time.
  AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
  PYTHON_THREADPOOL_THREAD_COUNT: string(threads)
  // The API takes 64 KB and says so with 413. The host and a worker would hold up to 100 MB of each request before that,
  // whoever sends it: above this the host refuses at once.
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '131072'
  // No page of the platform at /, which tells strangers what runs here.
  AzureWebJobsDisableHomepage: 'true'
  // The worker exports lines, spans and figures by itself; without this the host would send each line a second time.
  PYTHON_ENABLE_OPENTELEMETRY: 'true'
  // The host would speak gRPC, which a collector does not take where the workers send to.
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf'
}

resource appSettings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, settings, engineSettings, signInSettings)
}

// Deployments come with an identity; a user name and password for them would be one more way in.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// Metrics only: its log lines are in Application Insights, and nobody pays for them twice.
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

output id string = app.id
output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
