// Alert rules. Each rule is a query in infra/queries and a row of the table in docs/operations.md.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Prefix of every rule\'s name.')
param prefix string
@description('Id of the Application Insights component.')
param componentId string
@description('Email addresses that receive alerts.')
@minLength(1)
param emails string[]
@description('Minutes after midnight UTC by which the nightly run must have completed; the alert fires in the half hour after.')
@minValue(1)
@maxValue(1410)
param deadlineMinutes int
@description('Percentage of failed users in a run above which an alert fires.')
@minValue(1)
@maxValue(100)
param failedUsersPercent int
@description('Whether the rules fire. Off until the timer is enabled, otherwise every night without a run fires an alert.')
param enabled bool

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-operators'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'portfolio'
    enabled: true
    emailReceivers: [for email in emails: {
      name: email
      emailAddress: email
      useCommonAlertSchema: true
    }]
  }
}

var deadline = replace(loadTextContent('../queries/no-run-completed.kql'), '{deadline}', string(deadlineMinutes))
var failedUsers = replace(loadTextContent('../queries/failed-users.kql'), '{percent}', string(failedUsersPercent))

var rules = [
  {
    name: 'no-run-completed'
    title: 'No run completed tonight'
    severity: 1
    window: 'P1D'
    frequency: 'PT15M'
    query: deadline
  }
  {
    name: 'run-failed'
    title: 'A run failed'
    severity: 1
    window: 'PT10M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/run-failed.kql')
  }
  {
    name: 'failed-users'
    title: 'Too many users failed'
    severity: 2
    window: 'PT30M'
    frequency: 'PT15M'
    query: failedUsers
  }
  {
    name: 'watchdog-fired'
    title: 'The watchdog closed a run or freed a lease'
    severity: 2
    window: 'PT10M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/watchdog-fired.kql')
  }
  {
    name: 'timers-silent'
    title: 'The timers do not fire'
    severity: 1
    window: 'PT30M'
    frequency: 'PT15M'
    query: loadTextContent('../queries/timers-silent.kql')
  }
  {
    name: 'trigger-refused'
    title: 'The trigger is rejected repeatedly'
    severity: 2
    window: 'PT15M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/trigger-refused.kql')
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${prefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: 'docs/operations.md, "Alerts": ${rule.name}'
    severity: rule.severity
    enabled: enabled
    scopes: [componentId]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // Tables are created with their first row: a new app has none yet.
    skipQueryValidation: true
    actions: {
      actionGroups: [operators.id]
    }
  }
}]

output actionGroupId string = operators.id
