// What the runbook has operators do: set secrets, restart the app and sync its triggers, query telemetry.
targetScope = 'resourceGroup'

@description('Object id of the operators\' group.')
param groupId string
@description('Name of the vault.')
param vaultName string
@description('Name of the app.')
param appName string

var vaultOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var websiteContributor = 'de139f84-1756-47ae-9be6-808fbbe84772'
var monitoringReader = '43d0d8ad-25c7-4714-9337-8ba259a9fe05'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, groupId, vaultOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', vaultOfficer)
    principalId: groupId
    principalType: 'Group'
  }
}

resource restarts 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(app.id, groupId, websiteContributor)
  scope: app
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', websiteContributor)
    principalId: groupId
    principalType: 'Group'
  }
}

resource queries 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, groupId, monitoringReader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringReader)
    principalId: groupId
    principalType: 'Group'
  }
}
