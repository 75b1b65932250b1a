// Alerts at the limits in docs/operations.md, "Capacity", by the services' own metrics, which arrive whatever becomes of the logs.
targetScope = 'resourceGroup'

@description('Tags of every resource.')
param tags object
@description('Prefix of every rule\'s name.')
param prefix string
@description('Whether there is a MongoDB cluster of this template. Its id is not known before it exists, the number of rules must be.')
param hasMongodb bool
@description('Id of the MongoDB cluster; empty without one.')
param mongodbId string
@description('Whether there is a Redis cache of this template.')
param hasRedis bool
@description('Id of the Redis cache; empty without one.')
param redisId string
@description('Id of the storage account.')
param storageId string
@description('Id of the group that is told.')
param actionGroupId string
@description('Whether the rules fire.')
param enabled bool

var ofMongodb = [
  {
    name: 'mongodb-disk'
    resourceId: mongodbId
    namespace: 'Microsoft.DocumentDB/mongoClusters'
    metric: 'StoragePercent'
    aggregation: 'Maximum'
    threshold: 80
    window: 'PT1H'
    dimensions: []
  }
  {
    name: 'mongodb-cpu'
    resourceId: mongodbId
    namespace: 'Microsoft.DocumentDB/mongoClusters'
    metric: 'CpuPercent'
    aggregation: 'Average'
    threshold: 80
    window: 'PT30M'
    dimensions: []
  }
]
var ofRedis = [
  {
    name: 'redis-evictions'
    resourceId: redisId
    namespace: 'Microsoft.Cache/redisEnterprise'
    metric: 'evictedkeys'
    aggregation: 'Total'
    threshold: 0
    window: 'PT1H'
    dimensions: []
  }
]
var ofStorage = [
  {
    name: 'storage-throttled'
    resourceId: storageId
    namespace: 'Microsoft.Storage/storageAccounts'
    metric: 'Transactions'
    aggregation: 'Total'
    threshold: 100
    window: 'PT30M'
    dimensions: [
      {
        name: 'ResponseType'
        operator: 'Include'
        values: [
          'ClientThrottlingError'
          'ClientAccountBandwidthThrottlingError'
          'ClientAccountRequestThrottlingError'
          'ServerBusyError'
          'SuccessWithThrottling'
        ]
      }
    ]
  }
]
var rules = concat(hasMongodb ? ofMongodb : [], hasRedis ? ofRedis : [], ofStorage)

resource alerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for rule in rules: {
  name: '${prefix}-${rule.name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'docs/operations.md, "Alerts": ${rule.name}'
    severity: 2
    enabled: enabled
    scopes: [rule.resourceId]
    evaluationFrequency: 'PT15M'
    windowSize: rule.window
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: rule.name
          metricNamespace: rule.namespace
          metricName: rule.metric
          dimensions: rule.dimensions
          timeAggregation: rule.aggregation
          operator: 'GreaterThan'
          threshold: rule.threshold
        }
      ]
    }
    autoMitigate: true
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}]
