// Asks the app for its health from three continents every fifteen minutes. What it costs: docs/operations.md, "Costs".
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Prefix of the names.')
param prefix string
@description('Address of the app, without a path.')
param url string
@description('Id of the Application Insights component.')
param componentId string
@description('Id of the group that is told.')
param actionGroupId string
@description('Id of the group that is told at once.')
param onCallGroupId string
@description('Whether the test runs and fires.')
param enabled bool

var places = ['emea-nl-ams-azr', 'us-va-ash-azr', 'apac-sg-sin-azr']

resource test 'Microsoft.Insights/webtests@2022-06-15' = {
  name: '${prefix}-health'
  location: location
  tags: union(tags, { 'hidden-link:${componentId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: '${prefix}-health'
    Name: '${prefix}-health'
    Description: 'docs/operations.md, "Alerts": unavailable'
    Enabled: enabled
    Frequency: 900
    // An idle app has to start first.
    Timeout: 60
    Kind: 'standard'
    RetryEnabled: true
    Locations: [for place in places: {
      Id: place
    }]
    Request: {
      RequestUrl: '${url}/api/health'
      HttpVerb: 'GET'
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 14
    }
  }
}

resource unavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${prefix}-unavailable'
  location: 'global'
  tags: tags
  properties: {
    description: 'docs/operations.md, "Alerts": unavailable'
    severity: 1
    enabled: enabled
    scopes: [test.id, componentId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: test.id
      componentId: componentId
      // One place may be unable to reach anything.
      failedLocationCount: 2
    }
    autoMitigate: true
    actions: [
      {
        actionGroupId: actionGroupId
      }
      {
        actionGroupId: onCallGroupId
      }
    ]
  }
}
