// The platform's sign-in (Easy Auth) for console users. It passes unauthenticated requests to the app, which checks access
// itself, so that the admin secret and health checks still work.
targetScope = 'resourceGroup'

@description('Name of the app.')
param appName string
@description('Client id of the app registration in Entra ID.')
param clientId string
@description('Issuer of its tokens.')
param issuer string
@description('Name of the setting with the client id of the identity that replaces the registration\'s secret.')
param secretSettingName string

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource signIn 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
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
        enabled: true
        registration: {
          clientId: clientId
          clientSecretSettingName: secretSettingName
          openIdIssuer: issuer
        }
        validation: {
          allowedAudiences: [clientId, 'api://${clientId}']
        }
      }
    }
    login: {
      tokenStore: {
        enabled: true
      }
    }
  }
}
