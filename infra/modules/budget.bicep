// Sends an alert before the monthly bill arrives.
targetScope = 'resourceGroup'

@description('Name of the budget.')
param name string
@description('Monthly amount in the subscription\'s currency.')
@minValue(1)
param amount int
@description('First day of the month in which the budget starts.')
param startDate string
@description('Id of the action group to notify.')
param actionGroupId string

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      spent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: []
        contactGroups: [actionGroupId]
      }
      expected: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: []
        contactGroups: [actionGroupId]
      }
    }
  }
}
