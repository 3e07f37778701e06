package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/omnibucket/storage/locations"
)

// azureFile is the variable in which Velero passes the path of the credentials for Azure to all locations without
// credentials of their own. The SDKs of the other providers read Velero's variables themselves.
const azureFile = "AZURE_CREDENTIALS_FILE"

// credentialsCount counts the credentials that have been read from files. Each number makes a new
// name.
var credentialsCount atomic.Int64

// useCredentialsFile gives the location the credentials of a file, in the form that Velero's own
// plugin for the provider reads. They become variables of this process under a new name, to which
// only this location refers.
func (s *settings) useCredentialsFile(ctx context.Context) error {
	location, _ := s.locations.Find(s.name)
	scheme, _, _ := strings.Cut(location.Address, "://")
	path := s.credentialsFile
	if scheme == "azblob" && path == "" && location.Credentials == "" {
		// Velero passes the file for locations without a credential of their own in the environment.
		path = os.Getenv(azureFile)
	}
	if path == "" {
		return nil
	}
	// For S3, the credentials of the location are the name of a profile in the file.
	if location.Credentials != "" && scheme != "s3" {
		return invalid(keyCredentials, "must not be set beside a file of credentials", "remove one of them")
	}

	variables, err := variablesIn(ctx, path, scheme, location)
	if err != nil {
		return err
	}

	// Store the credentials in variables under a new name.
	location.Credentials = fmt.Sprintf("velero_%d", credentialsCount.Add(1))
	for variable, value := range variables {
		if err := os.Setenv(strings.ToUpper(location.Credentials)+"_"+variable, value); err != nil {
			return within(keyCredentialsFile, fmt.Errorf("the value of %s: %w", variable, err))
		}
	}
	s.locations.Locations[s.name] = location
	return nil
}

// variablesIn reads a file of credentials and returns them as environment variables for a location. The
// scheme of the address decides the form of the file.
func variablesIn(
	ctx context.Context, path, scheme string, location locations.Location,
) (map[string]string, error) {
	switch scheme {
	case "s3":
		return awsVariables(ctx, path, cmp.Or(location.Credentials, "default"))
	case "gs":
		return map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": path}, nil
	case "azblob":
		return azureVariables(path, location)
	}
	return nil, invalid(keyCredentialsFile, "must not be set for the scheme "+scheme, "remove spec.credential")
}

// awsVariables returns the credentials of a profile in a file in the form of AWS's shared
// credentials.
func awsVariables(ctx context.Context, path, profile string) (map[string]string, error) {
	shared, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles = []string{path}
		o.ConfigFiles = []string{}
	})
	if err != nil {
		return nil, within(keyCredentialsFile, err)
	}
	if !shared.Credentials.HasKeys() {
		return nil, invalid(keyCredentialsFile,
			"must have aws_access_key_id and aws_secret_access_key in the profile "+profile,
			"for a role, remove spec.credential: the plugin then uses the credentials of Velero's pod")
	}
	return map[string]string{
		"AWS_ACCESS_KEY_ID":     shared.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": shared.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN":     shared.Credentials.SessionToken,
		"AWS_REGION":            shared.Region,
	}, nil
}

// velerosAzureKey is the name of Velero's own plugin for the key of an account.
const velerosAzureKey = "AZURE_STORAGE_ACCOUNT_ACCESS_KEY"

// azureNames maps the variables that this plugin reads from a credentials file for Azure to their usual names.
// Velero's own plugin also reads variables for other services of Azure.
var azureNames = map[string]string{
	velerosAzureKey:                     "AZURE_STORAGE_KEY",
	"AZURE_STORAGE_KEY":                 "AZURE_STORAGE_KEY",
	"AZURE_STORAGE_ACCOUNT":             "AZURE_STORAGE_ACCOUNT",
	"AZURE_STORAGE_SAS_TOKEN":           "AZURE_STORAGE_SAS_TOKEN",
	"AZURE_STORAGE_CONNECTION_STRING":   "AZURE_STORAGE_CONNECTION_STRING",
	"AZURE_TENANT_ID":                   "AZURE_TENANT_ID",
	"AZURE_CLIENT_ID":                   "AZURE_CLIENT_ID",
	"AZURE_CLIENT_SECRET":               "AZURE_CLIENT_SECRET",
	"AZURE_CLIENT_CERTIFICATE_PATH":     "AZURE_CLIENT_CERTIFICATE_PATH",
	"AZURE_CLIENT_CERTIFICATE_PASSWORD": "AZURE_CLIENT_CERTIFICATE_PASSWORD",
	"AZURE_FEDERATED_TOKEN_FILE":        "AZURE_FEDERATED_TOKEN_FILE",
}

// azureVariables returns the credentials in a file with a line NAME=VALUE for each variable. If the
// file names no account, it is that of the location.
func azureVariables(path string, location locations.Location) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, within(keyCredentialsFile, err)
	}

	variables := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		assignment := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		variable, value, _ := strings.Cut(assignment, "=")
		if name, ok := azureNames[strings.TrimSpace(variable)]; ok {
			variables[name] = unquoted(strings.TrimSpace(value))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, within(keyCredentialsFile, err)
	}
	if len(variables) == 0 {
		return nil, invalid(keyCredentialsFile, "must have lines such as "+velerosAzureKey+"=…", "")
	}

	if variables["AZURE_STORAGE_ACCOUNT"] == "" {
		_, query, _ := strings.Cut(location.Address, "?")
		values, _ := url.ParseQuery(query)
		variables["AZURE_STORAGE_ACCOUNT"] = cmp.Or(values.Get("account"), location.Parameters["account"])
	}
	return variables, nil
}

// unquoted returns a value without the quotes around it, if it has any.
func unquoted(value string) string {
	if len(value) < 2 {
		return value
	}

	first := value[0]
	last := value[len(value)-1]
	isQuote := first == '"' || first == '\''
	if !isQuote || last != first {
		return value
	}
	return value[1 : len(value)-1]
}
