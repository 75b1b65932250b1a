// Azure Managed Redis: prices for half a day, and failed sign-ins. Access keys are disabled: the app's identity signs in.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Name of the cache.')
param name string
@description('Size of the cache.')
param sku string
@description('Whether a second node takes over when one fails. It cannot be disabled again.')
param highlyAvailable bool
@description('Whether the cache is reachable through private endpoints only.')
param private bool
@description('Object id of the app\'s identity.')
param principalId string
@description('Id of the workspace for logs.')
param workspaceId string

resource cache 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
  }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: highlyAvailable ? 'Enabled' : 'Disabled'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: cache
  name: 'default'
  properties: {
    accessKeysAuthentication: 'Disabled'
    clientProtocol: 'Encrypted'
    port: 10000
    // One address for all shards: the app's client does not support clusters.
    clusteringPolicy: 'EnterpriseCluster'
    // All keys of the app expire; the least used may be evicted early.
    evictionPolicy: 'VolatileLRU'
    persistence: {
      aofEnabled: false
      rdbEnabled: false
    }
  }
}

resource access 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments@2025-07-01' = {
  parent: database
  name: 'app'
  properties: {
    accessPolicyName: 'default'
    user: {
      objectId: principalId
    }
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: cache
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

@description('URL with a user and no password: the app signs in with a token of its identity.')
output url string = 'rediss://${principalId}@${cache.properties.hostName}:${database.properties.port}/0'
