// A MongoDB cluster of our own (Azure DocumentDB, once Cosmos DB for MongoDB vCore). Identities sign in; there is no password.
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
@description('GB of disk.')
@minValue(32)
@maxValue(16384)
param storageGb int
@description('Whether a second server, in another zone, takes over when one fails; needs M30 or larger.')
param highlyAvailable bool
@description('Whether it can be reached through private endpoints only.')
param private bool
@description('Database in which the app may read and write; no other.')
param databaseName string
@description('Object id of the app\'s identity.')
param principalId string
@description('Object id of the person or group that administers the cluster; empty for nobody.')
param administratorId string
@description('Id of the workspace that logs go to.')
param workspaceId string

resource cluster 'Microsoft.DocumentDB/mongoClusters@2025-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    serverVersion: '8.0'
    authConfig: {
      allowedModes: ['MicrosoftEntraID']
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

// From 0.0.0.0 to 0.0.0.0 means: from within Azure. Who has no identity that is a user here gets no further.
resource fromAzure 'Microsoft.DocumentDB/mongoClusters/firewallRules@2025-09-01' = if (!private) {
  parent: cluster
  name: 'from-azure'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
}

resource app 'Microsoft.DocumentDB/mongoClusters/users@2025-09-01' = {
  parent: cluster
  name: principalId
  properties: {
    identityProvider: {
      type: 'MicrosoftEntraID'
      properties: {
        principalType: 'servicePrincipal'
      }
    }
    roles: [
      {
        db: databaseName
        role: 'readWrite'
      }
    ]
  }
}

resource administrator 'Microsoft.DocumentDB/mongoClusters/users@2025-09-01' = if (!empty(administratorId)) {
  parent: cluster
  name: empty(administratorId) ? 'nobody' : administratorId
  properties: {
    identityProvider: {
      type: 'MicrosoftEntraID'
      properties: {
        principalType: 'user'
      }
    }
    roles: [
      {
        db: 'admin'
        role: 'root'
      }
    ]
  }
  dependsOn: [app]
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: cluster
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

output id string = cluster.id
@description('Without a password: the app signs in with a token of its identity.')
output url string = 'mongodb+srv://${cluster.name}.global.mongocluster.cosmos.azure.com/?tls=true&authMechanism=MONGODB-OIDC&retryWrites=false&maxIdleTimeMS=120000'
