// The Durable Task Scheduler, an alternative engine to the storage account's queues and tables.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Name of the scheduler.')
@minLength(3)
@maxLength(64)
param name string
@description('Name of the task hub.')
@minLength(3)
@maxLength(64)
param taskHubName string
@description('Whether the scheduler is reachable through private endpoints only.')
param private bool
@description('Client id of the app\'s identity.')
param clientId string

// 2025-11-01 does not support private endpoints.
resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'Consumption'
    }
    // Access requires a role, from any address.
    ipAllowlist: private ? [] : ['0.0.0.0/0']
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

resource taskHub 'Microsoft.DurableTask/schedulers/taskHubs@2026-02-01' = {
  parent: scheduler
  name: taskHubName
}

output address string = 'Endpoint=${scheduler.properties.endpoint};Authentication=ManagedIdentity;ClientID=${clientId}'
