// Creates nothing. Its deployment stays in the resource group's history, with the outputs of main.bicep: operators may read the
// group, but not the deployments of the subscription. scripts/deployment-outputs reads it.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Name of the app.')
param appName string
@description('Name of the vault.')
param vaultName string
@description('Name of the storage account of the reports.')
param storageName string
@description('Id of the MongoDB cluster; empty for none.')
param clusterId string
@description('Id of the app\'s user in the MongoDB cluster; empty for none.')
param appUserId string
@description('Id of the Application Insights component.')
param componentId string
@description('Address of the app.')
param url string
@description('The address that requests of the app come from; empty if it changes.')
param outboundAddress string

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = resourceGroup().name
output AZURE_FUNCTION_NAME string = appName
output AZURE_KEY_VAULT_NAME string = vaultName
output STORAGE_ACCOUNT_NAME string = storageName
output MONGODB_CLUSTER_ID string = clusterId
output MONGODB_APP_USER_ID string = appUserId
output APPLICATION_INSIGHTS_ID string = componentId
output APP_URL string = url
output OUTBOUND_ADDRESS string = outboundAddress
