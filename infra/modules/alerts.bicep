// Log alerts and their recipients. Each rule is a query in infra/queries and a row of the table in docs/operations.md; alerts on
// metrics are in metric-alerts.bicep and availability.bicep.
targetScope = 'resourceGroup'

import { isNightly, starts, weekdays } from '../nights.bicep'

@description('Azure region.')
param location string
@description('Tags of every resource.')
param tags object
@description('Prefix of every rule\'s name.')
param prefix string
@description('Id of the Application Insights component.')
param componentId string
@description('Id of the workspace behind it.')
param workspaceId string
@description('Email addresses that receive alerts.')
@minLength(1)
param emails string[]
@description('HTTPS addresses that receive every alert in the common alert schema.')
param webhooks string[]
@description('Phone numbers, as country code and number, that get a text message for alerts of severity 0 and 1.')
param textMessages string[]
@description('Phone numbers, as country code and number, that are called for alerts of severity 0 and 1.')
param calls string[]
@description('Schedule of the nightly timer: six-field NCRONTAB, UTC, seconds first.')
param schedule string
@description('Minutes after its scheduled start by which the nightly run must have completed.')
@minValue(1)
@maxValue(1380)
param deadlineMinutes int
@description('Percentage of failed users in a nightly run above which an alert fires.')
@minValue(1)
@maxValue(100)
param failedUsersPercent int
@description('Number of users below which a nightly run fires no alert because of failed users.')
@minValue(1)
@maxValue(1000000)
param failedUsersMinimum int
@description('Whether the rules fire. Off until the timer is enabled, otherwise every night without a run fires an alert.')
param enabled bool

// Recipients, as main.bicep has checked them. From azd, a variable that is not set arrives as an empty text.

var targets = filter(webhooks, url => !empty(url))
var texted = filter(textMessages, phone => !empty(phone))
var called = filter(calls, phone => !empty(phone))

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
    webhookReceivers: [for (url, index) in targets: {
      name: 'webhook-${index}'
      serviceUri: url
      useCommonAlertSchema: true
    }]
  }
}

// For what cannot wait until the morning. Also without phones: a group that exists already would otherwise keep them.
resource onCall 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${prefix}-on-call'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'on-call'
    enabled: true
    smsReceivers: [for phone in texted: {
      name: 'text ${phone}'
      countryCode: split(phone, ' ')[0]
      phoneNumber: split(phone, ' ')[1]
    }]
    voiceReceivers: [for phone in called: {
      name: 'call ${phone}'
      countryCode: split(phone, ' ')[0]
      phoneNumber: split(phone, ' ')[1]
    }]
  }
}

// The nights

// Without a plain schedule the rule is disabled, and knows no night.
var minutesOfStarts = isNightly(schedule) ? starts(schedule) : []
var daysOfStarts = isNightly(schedule) ? weekdays(schedule) : [7]

var noRunCompleted = replace(replace(replace(loadTextContent('../queries/no-run-completed.kql'), '{starts}', join(map(minutesOfStarts, start => string(start)), ', ')), '{weekdays}', join(map(daysOfStarts, day => string(day)), ', ')), '{deadline}', string(deadlineMinutes))
var failedUsers = replace(replace(loadTextContent('../queries/failed-users.kql'), '{percent}', string(failedUsersPercent)), '{minimum}', string(failedUsersMinimum))

// Rows may arrive some minutes late, so no window is shorter than half an hour. An alert fires once for each value of its
// dimensions, which its message names, and resolves when its rows are gone.
var rules = [
  {
    name: 'no-run-completed'
    title: 'No run completed tonight'
    severity: 1
    window: 'P2D'
    frequency: 'PT15M'
    query: noRunCompleted
    dimensions: []
    scope: componentId
  }
  {
    name: 'run-failed'
    title: 'A run failed'
    severity: 1
    window: 'PT30M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/run-failed.kql')
    dimensions: ['run_id', 'error_type']
    scope: componentId
  }
  {
    name: 'failed-users'
    title: 'Too many users failed'
    severity: 2
    window: 'PT30M'
    frequency: 'PT15M'
    query: failedUsers
    dimensions: ['run_id']
    scope: componentId
  }
  {
    name: 'watchdog-fired'
    title: 'The watchdog closed a run or freed a lease'
    severity: 2
    window: 'PT30M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/watchdog-fired.kql')
    dimensions: ['run_id']
    scope: componentId
  }
  {
    name: 'watchdog-failed'
    title: 'The watchdog fails: database, vault or engine'
    severity: 1
    window: 'PT30M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/watchdog-failed.kql')
    dimensions: []
    scope: componentId
  }
  {
    name: 'server-errors'
    title: 'Requests fail with 5xx'
    severity: 2
    window: 'PT30M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/server-errors.kql')
    dimensions: ['name', 'resultCode']
    scope: componentId
  }
  {
    name: 'timers-silent'
    title: 'The timers do not fire'
    severity: 1
    window: 'PT30M'
    frequency: 'PT15M'
    query: loadTextContent('../queries/timers-silent.kql')
    dimensions: []
    scope: componentId
  }
  {
    name: 'telemetry-lost'
    title: 'Nothing arrives from the app'
    severity: 1
    window: 'PT30M'
    frequency: 'PT15M'
    query: loadTextContent('../queries/telemetry-lost.kql')
    dimensions: []
    scope: componentId
  }
  {
    name: 'telemetry-capped'
    title: 'The daily limit of logs is reached'
    severity: 1
    window: 'PT30M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/telemetry-capped.kql')
    dimensions: []
    scope: workspaceId
  }
  {
    name: 'trigger-refused'
    title: 'The trigger refuses known callers repeatedly'
    severity: 2
    window: 'PT30M'
    frequency: 'PT5M'
    query: loadTextContent('../queries/trigger-refused.kql')
    dimensions: ['resultCode']
    scope: componentId
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
    scopes: [rule.scope]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: map(rule.dimensions, dimension => {
            name: dimension
            operator: 'Include'
            values: ['*']
          })
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // Tables are created with their first row: a new app has none yet. scripts/check-queries runs the queries afterward.
    skipQueryValidation: true
    actions: {
      actionGroups: (rule.severity <= 1) ? [operators.id, onCall.id] : [operators.id]
    }
  }
}]

@description('The group that is told of everything: by email and webhook.')
output actionGroupId string = operators.id
@description('The group that is also told at once, by text message and call, of what cannot wait.')
output onCallGroupId string = onCall.id
