// Who may sign in to the MongoDB cluster. The service names its users by their object ids, so a preview cannot show the app's.
targetScope = 'resourceGroup'

@description('Name of the cluster.')
param clusterName string
@description('The only database that the app may read and write.')
param databaseName string
@description('Role of the app: readWrite in its database, or root in all of them.')
@allowed(['readWrite', 'root'])
param appRole string
@description('Object id of the app\'s identity.')
param principalId string
@description('Object ids of the persons who administer the cluster.')
param administratorIds string[]

resource cluster 'Microsoft.DocumentDB/mongoClusters@2025-09-01' existing = {
  name: clusterName
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
        db: appRole == 'root' ? 'admin' : databaseName
        role: appRole
      }
    ]
  }
}

// The service changes one user at a time.
@batchSize(1)
resource administrators 'Microsoft.DocumentDB/mongoClusters/users@2025-09-01' = [for id in administratorIds: {
  parent: cluster
  name: id
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
}]
