// A MongoDB cluster (Azure DocumentDB, formerly Cosmos DB for MongoDB vCore). Identities sign in: see mongodb-users.bicep.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Name of the cluster.')
@minLength(3)
@maxLength(40)
param name string
@description('Size of a server.')
param tier string
@description('Disk size in GB.')
@minValue(32)
@maxValue(16384)
param storageGb int
@description('Whether a second server, in another zone, takes over when one fails; requires M30 or larger.')
param highlyAvailable bool
@description('Whether the cluster accepts a password, too: the service may demand it of a cluster that is being created.')
param passwordSignIn bool
@description('The password of that deployment. Nobody is told, and the next deployment switches it off.')
@secure()
param password string = newGuid()
@description('Whether the cluster is reachable through private endpoints only.')
param private bool
@description('Id of the workspace for metrics and logs.')
param workspaceId string
@description('Whether every command is logged in the workspace, with its text.')
param commandLogs bool

var administrator = {
  userName: 'creation'
  // Three kinds of characters, which the service asks for.
  password: 'Aa1-${password}'
}

resource cluster 'Microsoft.DocumentDB/mongoClusters@2025-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    serverVersion: '8.0'
    #disable-next-line use-secure-value-for-secure-inputs // made from a secure parameter
    administrator: passwordSignIn ? administrator : null
    authConfig: {
      allowedModes: passwordSignIn ? ['NativeAuth', 'MicrosoftEntraID'] : ['MicrosoftEntraID']
    }
    compute: {
      tier: tier
    }
    storage: {
      sizeGb: storageGb
    }
    sharding: {
      shardCount: 1
    }
    highAvailability: {
      targetMode: highlyAvailable ? 'ZoneRedundantPreferred' : 'Disabled'
    }
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

// From 0.0.0.0 to 0.0.0.0 means: from within Azure. Identities without a user here cannot sign in.
resource fromAzure 'Microsoft.DocumentDB/mongoClusters/firewallRules@2025-09-01' = if (!private) {
  parent: cluster
  name: 'from-azure'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: cluster
  properties: {
    workspaceId: workspaceId
    // The rows are in a table of their own, VCoreMongoRequests. They have the text of commands, so holdings and ids of persons.
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'vCoreMongoRequests'
        enabled: commandLogs
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

@description('URL without a password: the app signs in with a token of its identity.')
output url string = 'mongodb+srv://${cluster.name}.global.mongocluster.cosmos.azure.com/?tls=true&authMechanism=MONGODB-OIDC&retryWrites=false&maxIdleTimeMS=120000'
