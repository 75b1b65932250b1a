// Locks against deletion of what cannot be made again: reports, secrets, the database.
targetScope = 'resourceGroup'

@description('Name of the host\'s storage account.')
param storageName string
@description('Name of the vault.')
param vaultName string
@description('Name of the MongoDB cluster; empty for none.')
param clusterName string

var notes = 'Holds what cannot be made again: see "What a change leaves behind" in docs/deployment.md.'

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource cluster 'Microsoft.DocumentDB/mongoClusters@2025-09-01' existing = {
  name: empty(clusterName) ? 'none' : clusterName
}

resource ofReports 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'keep'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: notes
  }
}

resource ofSecrets 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'keep'
  scope: vault
  properties: {
    level: 'CanNotDelete'
    notes: notes
  }
}

resource ofDatabase 'Microsoft.Authorization/locks@2020-05-01' = if (!empty(clusterName)) {
  name: 'keep'
  scope: cluster
  properties: {
    level: 'CanNotDelete'
    notes: notes
  }
}
