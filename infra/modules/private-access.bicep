// Private endpoints of services, and the DNS zones that resolve the services' names to them.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('The services, each with a name, its id, its group (the part of the service) and its zone.')
param services object[]
@description('Id of the subnet for endpoints.')
param subnetId string
@description('Id of the network that asks the zones.')
param networkId string
@description('Id of the resource group of existing zones, which the network already asks; empty for zones that are made here.')
param zonesGroupId string

var zoneNames = union(map(services, service => service.zone), [])

module zones 'private-zone.bicep' = [for zone in empty(zonesGroupId) ? zoneNames : []: {
  name: 'zone-${zone}'
  params: {
    tags: tags
    name: zone
    networkId: networkId
  }
}]

module endpoints 'private-endpoint.bicep' = [for service in services: {
  name: 'endpoint-${service.name}'
  params: {
    location: location
    tags: tags
    name: 'pe-${service.name}'
    serviceId: service.id
    groupId: service.group
    zoneId: '${empty(zonesGroupId) ? resourceGroup().id : zonesGroupId}/providers/Microsoft.Network/privateDnsZones/${service.zone}'
    subnetId: subnetId
  }
  dependsOn: [zones]
}]
