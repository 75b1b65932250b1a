// A network with a subnet for the app's instances and one for the private endpoints of their dependencies.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Name of the virtual network.')
param name string
@description('First two octets of its addresses, such as 10.40; the network is this /16.')
@minLength(3)
@maxLength(7)
param addressPrefix string

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: ['${addressPrefix}.0.0/16']
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '${addressPrefix}.0.0/23'
          // Flex Consumption joins as a container environment.
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '${addressPrefix}.2.0/24'
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

output id string = network.id
output appSubnetId string = '${network.id}/subnets/app'
output endpointsSubnetId string = '${network.id}/subnets/endpoints'
