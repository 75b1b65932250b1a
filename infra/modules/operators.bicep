// What the runbook has operators do: set secrets, restart the app and sync its triggers, query telemetry, send a test
// notification to the recipients of the alerts, bring back reports that were deleted.
targetScope = 'resourceGroup'

@description('Object id of the operators\' group.')
param groupId string
@description('Name of the vault.')
param vaultName string
@description('Name of the app.')
param appName string
@description('Name of the storage account of the reports.')
param storageName string
@description('Name of the container of the reports.')
param reportsContainerName string
@description('Prefix of the names of the alerts\' action groups.')
param alertsPrefix string

var vaultOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
var websiteContributor = 'de139f84-1756-47ae-9be6-808fbbe84772'
var monitoringReader = '43d0d8ad-25c7-4714-9337-8ba259a9fe05'
// The least of the built-in ones with Microsoft.Insights/createNotifications, so on the action groups alone.
var monitoringContributor = '749f88d5-cbae-40b8-bcfc-e573ddc772fa'
// The least with blobs/write, which bringing back a deleted blob is.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: account
  name: 'default'
}

resource reports 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: blobs
  name: reportsContainerName
}

resource everyAlert 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  name: '${alertsPrefix}-operators'
}

resource onCall 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  name: '${alertsPrefix}-on-call'
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

resource testsOfEveryAlert 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(everyAlert.id, groupId, monitoringContributor)
  scope: everyAlert
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringContributor)
    principalId: groupId
    principalType: 'Group'
  }
}

resource testsOfOnCall 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(onCall.id, groupId, monitoringContributor)
  scope: onCall
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringContributor)
    principalId: groupId
    principalType: 'Group'
  }
}

resource undeletes 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(reports.id, groupId, blobDataContributor)
  scope: reports
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    principalId: groupId
    principalType: 'Group'
  }
}
