// The workbook for operators: runs, durations, failed users, rejected requests, and the log lines of a run.
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
    title: 'Users per run, by outcome'
    query: loadTextContent('../queries/users-of-runs.kql')
  }
  {
    title: 'Run duration in seconds'
    query: loadTextContent('../queries/run-durations.kql')
  }
  {
    title: 'Watchdog interventions'
    query: loadTextContent('../queries/watchdog-fired.kql')
  }
  {
    title: 'Rejected requests'
    query: loadTextContent('../queries/refused-requests.kql')
  }
  {
    title: 'Errors in the log'
    query: loadTextContent('../queries/errors.kql')
  }
  {
    title: 'Log lines of the newest run'
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
    noDataMessage: 'No data in this time range.'
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
