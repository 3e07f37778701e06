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

// twoAccounts has a function for each provider. The function makes two accounts, each of which
// refuses the other's credentials. It sets the variables of the credentials "old" and "new", and
// returns the addresses of both accounts.
var twoAccounts = map[string]func(t *testing.T) (old, replacement string){
	"MinIO and versitygw":    twoAccountsOfS3,
	"accounts of Azurite":    twoAccountsOfAzure,
	"identities of Google's": twoIdentitiesOfGoogle,
}

// twoAccountsOfS3 uses two servers, because each has one account.
func twoAccountsOfS3(t *testing.T) (old, replacement string) {
	old = s3Account(t, "OLD", "minio", "OMNIBUCKET_TEST_MINIO")
	replacement = s3Account(t, "NEW", "versitygw", "OMNIBUCKET_TEST_VERSITYGW")
	return old, replacement
}

// s3Account returns the address of a new bucket on a test server. It sets the variables of the
// credentials with the given name. serverVariable is the variable with the endpoint of the server.
func s3Account(t *testing.T, name, profile, serverVariable string) string {
	t.Helper()
	t.Setenv(name+"_AWS_ACCESS_KEY_ID", testserver.Need(t, serverVariable+"_KEY"))
	t.Setenv(name+"_AWS_SECRET_ACCESS_KEY", testserver.Need(t, serverVariable+"_SECRET"))
	return "s3://" + newBucketName() + "?" + url.Values{
		"region":     {"us-east-1"},
		"path_style": {"true"},
		"profile":    {profile},
		"endpoint":   {testserver.Need(t, serverVariable)},
	}.Encode()
}

func newBucketName() string { return strings.ToLower(rand.Text()[:20]) }

// twoAccountsOfAzure uses two accounts of one server.
func twoAccountsOfAzure(t *testing.T) (old, replacement string) {
	old = azureAccount(t, "OLD", "OMNIBUCKET_TEST_AZURITE")
	replacement = azureAccount(t, "NEW", "OMNIBUCKET_TEST_AZURITE_SECOND")
	return old, replacement
}

// azureAccount returns the address of a new container on a test server. It sets the variables of
// the credentials with the given name. serverVariable is the variable with the endpoint of the
// server.
func azureAccount(t *testing.T, name, serverVariable string) string {
	t.Helper()
	t.Setenv(name+"_AZURE_STORAGE_ACCOUNT", testserver.Need(t, serverVariable+"_ACCOUNT"))
	t.Setenv(name+"_AZURE_STORAGE_KEY", testserver.Need(t, serverVariable+"_KEY"))
	parameters := url.Values{"endpoint": {testserver.Need(t, serverVariable)}}
	return "azblob://" + newBucketName() + "?" + parameters.Encode()
}

// twoIdentitiesOfGoogle puts two proxies before one fake-gcs-server, because that server checks no
// tokens. Each proxy has a bucket, and accepts only the token of one identity.
func twoIdentitiesOfGoogle(t *testing.T) (old, replacement string) {
	server, err := url.Parse(testserver.Need(t, "OMNIBUCKET_TEST_GCS"))
	require.NoError(t, err)
	return googleIdentity(t, "OLD", server), googleIdentity(t, "NEW", server)
}

// googleIdentity returns the address of a new bucket behind a proxy that requires a token. It sets
// the variable of the credentials with the given name, from which the token comes.
func googleIdentity(t *testing.T, name string, server *url.URL) string {
	t.Helper()
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
	parameters := url.Values{"project": {"project"}, "endpoint": {proxy.URL}}
	return "gs://" + newBucketName() + "?" + parameters.Encode()
}

// serviceAccount writes the credentials of a Google service account into a file. The file names a
// token server, which returns the token for these credentials.
func serviceAccount(t *testing.T, token string) (path string) {
	t.Helper()
	tokenServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": token,
			"expires_in":   3600,
			"token_type":   "Bearer",
		})
	}))
	t.Cleanup(tokenServer.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	content, err := json.Marshal(map[string]string{
		"type":           "service_account",
		"client_email":   "name@example.iam.gserviceaccount.com",
		"private_key_id": "id",
		"token_uri":      tokenServer.URL,
		"private_key":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})),
	})
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "credentials.json")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// A command that uses two accounts of one provider sends each request with the credentials of its account.
func TestCredentialsOfTwoAccounts(t *testing.T) {
	for name, makeAccounts := range twoAccounts {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.env["XDG_CONFIG_HOME"] = t.TempDir()

			// Each account has a location. The address of the location names the credentials of the
			// account.
			old, replacement := makeAccounts(t)
			s.run("config", "add", "old", old+"&credentials=old")
			s.run("config", "add", "new", replacement+"&credentials=new")
			s.run("mb", "old:")
			s.run("mb", "new:")

			// Commands such as cp, sync, diff and mv use both accounts.
			requireTransfers(t, s, "old:", "new:")

			// An account refuses the credentials of the other account.
			s.setLocation("crossed", old+"&credentials=new")
			s.requireExit(exitFailure, "ls", "crossed:")
			s.setLocation("crossed", replacement+"&credentials=old")
			s.requireExit(exitFailure, "ls", "crossed:")

			s.run("rb", "--force", "old:")
			s.run("rb", "--force", "new:")
		})
	}
}

// requireTransfers requires that cp, sync, diff and mv succeed between two empty locations.
func requireTransfers(t *testing.T, s *shell, src, dst string) {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"1.txt": "one", "a/2.txt": "two"})
	s.run("cp", "-r", filepath.Join(dir, "a"), src)
	s.run("cp", filepath.Join(dir, "1.txt"), src)

	s.run("cp", src+"1.txt", dst+"1.txt")
	require.Equal(t, "one", s.run("cat", dst+"1.txt"))
	s.run("-q", "sync", src, dst)
	require.Equal(t, "1.txt\na/2.txt\n", s.run("ls", "-r", dst))

	s.run("-q", "diff", src, dst)
	s.run("-q", "mv", src+"1.txt", dst+"3.txt")
	require.Equal(t, "1.txt\n3.txt\na/2.txt\n", s.run("ls", "-r", dst))
	require.Equal(t, "a/2.txt\n", s.run("ls", "-r", src))
}

// If an address names credentials that do not exist, the error names the variable that is missing.
func TestCredentialsNamedButMissing(t *testing.T) {
	s := newShell(t)
	s.setLocation("other", "s3://photos?region=us-east-1&credentials=other")

	_, stderr := s.requireExit(exitFailure, "ls", "other:")
	require.Contains(t, stderr, "OTHER_AWS_ACCESS_KEY_ID")
}
