package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// twoAccounts has two accounts of each provider that refuse each other's credentials. A function sets
// the variables that belong to the names old and new, and returns their addresses.
var twoAccounts = map[string]func(t *testing.T) (old, replacement string){
	"MinIO and versitygw":    twoAccountsOfS3,
	"accounts of Azurite":    twoAccountsOfAzure,
	"identities of Google's": twoIdentitiesOfGoogle,
}

// twoAccountsOfS3 uses two servers, because each has one account.
func twoAccountsOfS3(t *testing.T) (old, replacement string) {
	address := func(name, profile, server string) string {
		t.Setenv(name+"_AWS_ACCESS_KEY_ID", testserver.Need(t, "OMNIBUCKET_TEST_"+server+"_KEY"))
		t.Setenv(name+"_AWS_SECRET_ACCESS_KEY", testserver.Need(t, "OMNIBUCKET_TEST_"+server+"_SECRET"))
		return "s3://" + strings.ToLower(rand.Text()[:20]) + "?" + url.Values{
			"region":     {"us-east-1"},
			"path_style": {"true"},
			"profile":    {profile},
			"endpoint":   {testserver.Need(t, "OMNIBUCKET_TEST_"+server)},
		}.Encode()
	}
	return address("OLD", "minio", "MINIO"), address("NEW", "versitygw", "VERSITYGW")
}

// twoAccountsOfAzure uses two accounts of one server.
func twoAccountsOfAzure(t *testing.T) (old, replacement string) {
	address := func(name, endpoint, account, key string) string {
		t.Setenv(name+"_AZURE_STORAGE_ACCOUNT", testserver.Need(t, account))
		t.Setenv(name+"_AZURE_STORAGE_KEY", testserver.Need(t, key))
		return "azblob://" + strings.ToLower(rand.Text()[:20]) + "?" + url.Values{"endpoint": {testserver.Need(t, endpoint)}}.Encode()
	}
	return address("OLD", "OMNIBUCKET_TEST_AZURITE", "OMNIBUCKET_TEST_AZURITE_ACCOUNT", "OMNIBUCKET_TEST_AZURITE_KEY"),
		address("NEW", "OMNIBUCKET_TEST_AZURITE_SECOND", "OMNIBUCKET_TEST_AZURITE_SECOND_ACCOUNT", "OMNIBUCKET_TEST_AZURITE_SECOND_KEY")
}

// fake-gcs-server checks no tokens, so a proxy before it does: each bucket belongs to one identity.
func twoIdentitiesOfGoogle(t *testing.T) (old, replacement string) {
	server, err := url.Parse(testserver.Need(t, "OMNIBUCKET_TEST_GCS"))
	require.NoError(t, err)
	address := func(name string) string {
		bucket := strings.ToLower(rand.Text()[:20])
		token := "token-of-" + name
		forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			r.Out.Host = server.Host
		}}
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token {
				http.Error(w, "Invalid Credentials", http.StatusUnauthorized)
				return
			}
			forward.ServeHTTP(w, r)
		}))
		t.Cleanup(proxy.Close)
		t.Setenv(name+"_GOOGLE_APPLICATION_CREDENTIALS", serviceAccount(t, token))
		return "gs://" + bucket + "?" + url.Values{"project": {"project"}, "endpoint": {proxy.URL}}.Encode()
	}
	return address("OLD"), address("NEW")
}

// serviceAccount returns a file of credentials for which a token server gives a token.
func serviceAccount(t *testing.T, token string) string {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
	}))
	t.Cleanup(tokens.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	content, err := json.Marshal(map[string]string{
		"type":           "service_account",
		"client_email":   "name@example.iam.gserviceaccount.com",
		"private_key_id": "id",
		"token_uri":      tokens.URL,
		"private_key":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})),
	})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "credentials.json")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

// A command may use two accounts of one provider. Each request uses the credentials of its own account.
func TestCredentialsOfTwoAccounts(t *testing.T) {
	for name, accounts := range twoAccounts {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.env["XDG_CONFIG_HOME"] = t.TempDir()
			old, replacement := accounts(t)
			s.ok("config", "add", "old", old+"&credentials=old")
			s.ok("config", "add", "new", replacement+"&credentials=new")
			s.ok("mb", "old:")
			s.ok("mb", "new:")
			testTwoAccounts(t, s)
			for crossed, address := range map[string]string{"new": old, "old": replacement} {
				s.env["OMNIBUCKET_CROSSED"] = address + "&credentials=" + crossed
				s.exits(1, "ls", "crossed:")
			}
			s.ok("rb", "--force", "old:")
			s.ok("rb", "--force", "new:")
		})
	}
}

// testTwoAccounts copies, compares and moves files between the accounts old: and new:.
func testTwoAccounts(t *testing.T, s *shell) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"1.txt": "one", "a/2.txt": "two"})
	s.ok("cp", "-r", filepath.Join(dir, "a"), "old:")
	s.ok("cp", filepath.Join(dir, "1.txt"), "old:")

	s.ok("cp", "old:1.txt", "new:1.txt")
	require.Equal(t, "one", s.ok("cat", "new:1.txt"))
	s.ok("-q", "sync", "old:", "new:")
	require.Equal(t, "1.txt\na/2.txt\n", s.ok("ls", "-r", "new:"))

	s.ok("-q", "diff", "old:", "new:")
	s.ok("-q", "mv", "old:1.txt", "new:3.txt")
	require.Equal(t, "1.txt\n3.txt\na/2.txt\n", s.ok("ls", "-r", "new:"))
	require.Equal(t, "a/2.txt\n", s.ok("ls", "-r", "old:"))
}

// If an address names credentials that do not exist, the command fails.
func TestCredentialsNamedButMissing(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_OTHER"] = "s3://photos?region=us-east-1&credentials=other"
	_, says := s.exits(1, "ls", "other:")
	require.Contains(t, says, "OTHER_AWS_ACCESS_KEY_ID")
}
