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
@description('Whether requests of the app leave from one address of its own.')
param natGateway bool

resource address 'Microsoft.Network/publicIPAddresses@2025-01-01' = if (natGateway) {
  name: '${name}-outbound'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAddressVersion: 'IPv4'
    publicIPAllocationMethod: 'Static'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-01-01' = if (natGateway) {
  name: '${name}-nat'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

var throughGateway = {
  id: gateway.id
}

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
          // Newer API versions give a subnet no way out that does not ask for one: no prices, no tokens.
          defaultOutboundAccess: !natGateway
          natGateway: natGateway ? throughGateway : null
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
          defaultOutboundAccess: false
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

@description('The address that requests of the app come from; empty if it changes.')
output address string = natGateway ? address!.properties.ipAddress : ''
