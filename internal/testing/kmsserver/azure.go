package kmsserver

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/auth"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Vault is the address of the vault that [StartAzure] serves. A client of [Server.VaultClient] can
// connect to it.
const Vault = "https://unit.vault.azure.net"

// Challenge is the value of the header that tells a client where to request a token.
const Challenge = `Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-00000000000a", resource="https://vault.azure.net"`

// vaultKeys returns the RSA keys of all servers. They are shared, because it takes long to make
// one.
var vaultKeys = sync.OnceValue(func() (keys []*rsa.PrivateKey) {
	for range 2 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// StartAzure starts a server with the protocol of Azure Key Vault. Its keys have names and at most
// two versions. https://learn.microsoft.com/rest/api/keyvault/keys/wrap-key/wrap-key
func StartAzure(t testing.TB) *Server {
	s := newServer()
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serveAzure))
	t.Cleanup(s.Close)
	return s
}

// VaultClient returns an HTTP client that always connects to the server, whatever the host in the
// URL is.
func (s *Server) VaultClient() *http.Client {
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	transport.TLSClientConfig.ServerName = "example.com" // name in the certificate of httptest
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport}
}

// A Credential returns the token Value in every call. It can be used with Azure and Google.
type Credential struct{ Value string }

// GetToken implements [azcore.TokenCredential].
func (c Credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 || o.Scopes[0] != "https://vault.azure.net/.default" ||
		o.TenantID != "00000000-0000-0000-0000-00000000000a" {
		return azcore.AccessToken{}, fmt.Errorf("not of the challenge: %v", o)
	}
	return azcore.AccessToken{Token: c.Value}, nil
}

// Token implements [auth.TokenProvider].
func (c Credential) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: c.Value, Type: "Bearer"}, nil
}

func version(n int) string { return fmt.Sprintf("%032x", n) }

func (s *Server) serveAzure(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // the parts are "", keys, name, version and operation
	if len(parts) == 4 {                    // a path without a version means the newest one
		parts = slices.Insert(parts, 3, "")
	}
	if len(parts) != 5 || r.URL.Query().Get("api-version") == "" || r.Method != http.MethodPost {
		RefuseAzure(w, http.StatusNotFound, "NotFound", "")
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+Token {
		s.challenge(w, r)
		return
	}
	state, versions, answered := s.begin(w, r, parts[4], parts[2])
	var in struct{ Alg, Value string }
	err := json.NewDecoder(r.Body).Decode(&in)
	value, decodeErr := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.Value, "="))
	n := len(versions)
	for i := range versions {
		if parts[3] == version(i+1) {
			n = i + 1
		}
	}
	switch {
	case answered:
	case state == "missing" || parts[3] != "" && parts[3] != version(n):
		RefuseAzure(w, http.StatusNotFound, "KeyNotFound", "")
	case state == "disabled":
		RefuseAzure(w, http.StatusForbidden, "Forbidden", "KeyDisabled")
	case state == "deleted":
		RefuseAzure(w, http.StatusNotFound, "KeyNotFound", "")
	case state == "denied":
		RefuseAzure(w, http.StatusForbidden, "Forbidden", "ForbiddenByRbac")
	case err != nil || decodeErr != nil || in.Alg != "RSA-OAEP-256":
		RefuseAzure(w, http.StatusBadRequest, "BadParameter", "")
	default:
		key := vaultKeys()[n-1]
		var data []byte
		if parts[4] == "wrapkey" {
			data, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, value, nil)
		} else {
			data, err = rsa.DecryptOAEP(sha256.New(), nil, key, value, nil)
		}
		if err != nil {
			RefuseAzure(w, http.StatusBadRequest, "BadParameter", "")
			return
		}
		WriteJSON(
			w, http.StatusOK,
			map[string]string{
				"kid":   Vault + "/keys/" + parts[2] + "/" + version(n),
				"value": base64.RawURLEncoding.EncodeToString(data),
			},
		)
	}
}

// challenge refuses a request that has no token or a wrong token.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	if _, _, answered := s.begin(w, r, "challenge", ""); answered {
		return
	}
	w.Header().Set("WWW-Authenticate", Challenge)
	RefuseAzure(w, http.StatusUnauthorized, "Unauthorized", "")
}

// RefuseAzure sends an error in Azure's format. code is the code of the error, and inner is the
// code of its inner error.
func RefuseAzure(w http.ResponseWriter, status int, code, inner string) {
	body := map[string]any{"code": code, "message": "the service says why"}
	if inner != "" {
		body["innererror"] = map[string]string{"code": inner}
	}
	w.Header().Set("X-Ms-Request-Id", "request-1")
	WriteJSON(w, status, map[string]any{"error": body})
}
