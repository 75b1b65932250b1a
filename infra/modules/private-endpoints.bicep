// The private endpoints of the app's dependencies.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Services that need an endpoint: name, id, group and zone of each.')
param services object[]
@description('Id of the network.')
param networkId string
@description('Id of the subnet for endpoints.')
param subnetId string

module endpoints 'private-endpoint.bicep' = [for service in services: {
  name: 'endpoint-${service.name}'
  params: {
    location: location
    tags: tags
    name: 'pe-${service.name}'
    serviceId: service.id
    groupId: service.group
    zoneName: service.zone
    networkId: networkId
    subnetId: subnetId
  }
}]
