// The platform's sign-in (Easy Auth) for console users. It passes unauthenticated requests to the app, which checks access
// itself, so that the admin secret and health checks still work. Also deployed to switch it off: a deployment changes only what
// it names.
targetScope = 'resourceGroup'

@description('Name of the app.')
param appName string
@description('Whether users may sign in.')
param enabled bool
@description('Client id of the app registration in Entra ID.')
param clientId string
@description('Issuer of its tokens.')
param issuer string
@description('Name of the setting with the client id of the identity that replaces the registration\'s secret.')
param assertionSettingName string

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

var registration = {
  clientId: clientId
  clientSecretSettingName: assertionSettingName
  openIdIssuer: issuer
}

var validation = {
  allowedAudiences: [clientId, 'api://${clientId}']
}

resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: enabled
    }
    globalValidation: {
      requireAuthentication: false
      unauthenticatedClientAction: 'AllowAnonymous'
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: enabled
        registration: enabled ? registration : null
        validation: enabled ? validation : null
      }
    }
    login: {
      tokenStore: {
        enabled: enabled
      }
    }
  }
}
