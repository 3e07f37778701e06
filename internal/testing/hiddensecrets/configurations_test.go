//go:build omnibucket_sdks

// To link the SDKs of all stores takes four seconds of processor time.

// Package hiddensecrets_test tests that configurations and credentials of all packages print no secret. It is no test of
// package redact, because "go mod tidy" of a program gets what the tests of imported packages import.
package hiddensecrets_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/uploads"
)

const secret = "omnibucket-secret-of-a-test"

func TestConfigurationsAndCredentialsShowNoSecret(t *testing.T) {
	files, err := uploads.New(memstore.New(), uploads.Config{
		TokenKey:  []byte(secret),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	require.NoError(t, err)
	server := s3server.Config{
		Region:      "shown",
		AdminToken:  secret,
		WebhookURL:  "https://hooks.test/" + secret,
		Credentials: []s3server.Credential{{AccessKeyID: "shown", SecretKey: secret, SessionToken: secret}},
		TLS:         &tls.Config{ServerName: secret},
	}
	tests := []struct {
		name  string
		value any
		shows string
	}{
		{"s3.Config", s3.Config{Bucket: "shown", SecretKey: secret, SessionToken: secret, AWS: &aws.Config{AppID: secret}}, "{Bucket:shown SecretKey:REDACTED SessionToken:REDACTED AWS:*aws.Config}"},
		{"a pointer to it", &s3.Config{Bucket: "shown", SecretKey: secret}, "{Bucket:shown SecretKey:REDACTED}"},
		{"s3.PrefixCredentials", s3.PrefixCredentials{AccessKeyID: "shown", SecretKey: secret, SessionToken: secret}, "{AccessKeyID:shown SecretKey:REDACTED SessionToken:REDACTED}"},
		{"gcs.Config", gcs.Config{Bucket: "shown", CredentialsJSON: []byte(secret), SigningKey: []byte(secret)}, "{Bucket:shown CredentialsJSON:REDACTED SigningKey:REDACTED}"},
		{"gcs.PrefixCredentials", gcs.PrefixCredentials{Prefix: "shown", AccessToken: secret}, "{Prefix:shown AccessToken:REDACTED}"},
		{"azure.Config", azure.Config{Account: "shown", Key: secret, SASToken: secret, ConnectionString: secret}, "{Account:shown Key:REDACTED SASToken:REDACTED ConnectionString:REDACTED}"},
		{"azure.PrefixCredentials", azure.PrefixCredentials{Prefix: "shown", SASToken: secret}, "{Prefix:shown SASToken:REDACTED}"},
		{"local.Config", local.Config{SigningKeys: local.SigningKeys{[]byte(secret)}}, "REDACTED"},
		{"memstore.Config", memstore.Config{SigningKeys: memstore.SigningKeys{[]byte(secret)}}, "REDACTED"},
		{"s3server.Config", server, "{Credentials:[{AccessKeyID:shown SecretKey:REDACTED SessionToken:REDACTED}] Region:shown WebhookURL:REDACTED AdminToken:REDACTED TLS:*tls.Config}"},
		{"s3server.Handler", s3server.New(server), ""},
		{"uploads.Config", uploads.Config{Prefix: "shown", TokenKey: []byte(secret)}, "{Prefix:shown TokenKey:REDACTED}"},
		{"uploads.Service", files, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x"} {
				requireHidden(t, fmt.Sprintf(verb, tt.value))
				requireHidden(t, fmt.Sprintf(verb, struct{ Value any }{tt.value}))
			}
			require.Contains(t, fmt.Sprintf("%+v", tt.value), tt.shows)
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "value", tt.value)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("opened", "value", tt.value)
			requireHidden(t, log.String())
		})
	}
}

// requireHidden fails if a text has the secret as text, or its bytes as fmt writes them.
func requireHidden(t *testing.T, text string) {
	for _, verb := range []string{"%s", "%x", "%d"} {
		require.NotContains(t, text, fmt.Sprintf(verb, []byte(secret)))
	}
	require.NotContains(t, text, fmt.Sprintf("%#v", []byte(secret))[len("[]byte{"):])
}
