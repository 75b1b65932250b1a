// The page that an operator opens first: runs, how long they took, who failed, what was refused, and the lines of a run.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Title of the workbook.')
param title string
@description('Id of the Application Insights component.')
param componentId string

var parts = [
  {
    title: 'Runs'
    query: loadTextContent('../queries/runs.kql')
  }
  {
    title: 'Users a run, by outcome'
    query: loadTextContent('../queries/users-of-runs.kql')
  }
  {
    title: 'Seconds a run'
    query: loadTextContent('../queries/run-durations.kql')
  }
  {
    title: 'What the watchdog did'
    query: loadTextContent('../queries/watchdog-fired.kql')
  }
  {
    title: 'Requests that were refused'
    query: loadTextContent('../queries/refused-requests.kql')
  }
  {
    title: 'Lines at error'
    query: loadTextContent('../queries/errors.kql')
  }
  {
    title: 'Lines of the newest run'
    query: loadTextContent('../queries/lines-of-newest-run.kql')
  }
]

var range = {
  type: 9
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        id: guid('range')
        name: 'range'
        label: 'Time range'
        version: 'KqlParameterItem/1.0'
        type: 4
        isRequired: true
        value: {
          durationMs: 604800000
        }
      }
    ]
    style: 'pills'
  }
}

var queries = [for part in parts: {
  type: 3
  content: {
    version: 'KqlItem/1.0'
    title: part.title
    query: part.query
    timeContextFromParameter: 'range'
    queryType: 0
    resourceType: 'microsoft.insights/components'
    noDataMessage: 'Nothing in this time.'
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'operators')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: title
    sourceId: componentId
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([range], queries)
      fallbackResourceIds: [componentId]
    })
  }
}
