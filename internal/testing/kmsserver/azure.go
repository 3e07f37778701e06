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

// StartAzure starts a server with the protocol of Azure Key Vault, whose keys have names and at
// most two versions: https://learn.microsoft.com/rest/api/keyvault/keys/wrap-key/wrap-key
func StartAzure(t testing.TB) *Server {
	s := newServer()
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serveAzure))
	t.Cleanup(s.Close)
	return s
}

// VaultClient returns an HTTP client that connects to the server, whatever host a URL has.
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

// GetToken implements [azcore.TokenCredential]. It fails unless the client asks for the scope and
// the tenant of [Challenge].
func (c Credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	hasScope := len(o.Scopes) == 1 && o.Scopes[0] == "https://vault.azure.net/.default"
	if !hasScope || o.TenantID != "00000000-0000-0000-0000-00000000000a" {
		return azcore.AccessToken{}, fmt.Errorf("not of the challenge: %v", o)
	}
	return azcore.AccessToken{Token: c.Value}, nil
}

// Token implements [auth.TokenProvider].
func (c Credential) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: c.Value, Type: "Bearer"}, nil
}

// version returns the name of the n-th version of a key; the first is 1.
func version(n int) string { return fmt.Sprintf("%032x", n) }

// numberOf is the inverse of version for a key that has count versions. If name is "", it returns the
// number of the newest version. ok is false if no version has this name.
func numberOf(name string, count int) (number int, ok bool) {
	if name == "" {
		return count, true
	}
	for n := 1; n <= count; n++ {
		if name == version(n) {
			return n, true
		}
	}
	return 0, false
}

// serveAzure serves the operations wrapkey and unwrapkey, which encrypt and decrypt a data key.
func (s *Server) serveAzure(w http.ResponseWriter, r *http.Request) {
	path, ok := parseVaultPath(r.URL.Path)
	if !ok || r.URL.Query().Get("api-version") == "" || r.Method != http.MethodPost {
		RefuseAzure(w, http.StatusNotFound, "NotFound", "")
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+Token {
		s.challenge(w, r)
		return
	}

	state, versions, isAnswered := s.beginRequest(w, r, path.operation, path.key)
	if isAnswered {
		// The test sent a response of its own.
		return
	}

	number, hasVersion := numberOf(path.version, len(versions))
	isMissing := state == "missing" || state == "deleted" || !hasVersion
	if isMissing {
		RefuseAzure(w, http.StatusNotFound, "KeyNotFound", "")
		return
	}
	if state == "disabled" {
		RefuseAzure(w, http.StatusForbidden, "Forbidden", "KeyDisabled")
		return
	}
	if state == "denied" {
		RefuseAzure(w, http.StatusForbidden, "Forbidden", "ForbiddenByRbac")
		return
	}

	value, err := wrap(r, path.operation, vaultKeys()[number-1])
	if err != nil {
		RefuseAzure(w, http.StatusBadRequest, "BadParameter", "")
		return
	}
	WriteJSON(w, http.StatusOK, map[string]string{
		"kid":   Vault + "/keys/" + path.key + "/" + version(number),
		"value": base64.RawURLEncoding.EncodeToString(value),
	})
}

// A vaultPath is the path of a request: /keys/NAME/VERSION/OPERATION.
type vaultPath struct {
	key       string
	version   string // "" means the newest one
	operation string
}

// parseVaultPath returns the parts of a path, which has no version if it means the newest one.
func parseVaultPath(path string) (p vaultPath, ok bool) {
	segments := strings.Split(path, "/") // the first one is empty
	switch len(segments) {
	case 4:
		return vaultPath{key: segments[2], operation: segments[3]}, true
	case 5:
		return vaultPath{key: segments[2], version: segments[3], operation: segments[4]}, true
	default:
		return vaultPath{}, false
	}
}

// wrap encrypts or decrypts the value of a request.
func wrap(r *http.Request, operation string, key *rsa.PrivateKey) ([]byte, error) {
	var req struct{ Alg, Value string }
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return nil, err
	}
	if req.Alg != "RSA-OAEP-256" {
		return nil, fmt.Errorf("unknown algorithm %q", req.Alg)
	}

	value, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(req.Value, "="))
	if err != nil {
		return nil, err
	}
	if operation == "wrapkey" {
		return rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, value, nil)
	}
	return rsa.DecryptOAEP(sha256.New(), nil, key, value, nil)
}

// challenge refuses a request without a valid token, and says which token is needed.
func (s *Server) challenge(w http.ResponseWriter, r *http.Request) {
	if _, _, answered := s.beginRequest(w, r, "challenge", ""); answered {
		return
	}
	w.Header().Set("WWW-Authenticate", Challenge)
	RefuseAzure(w, http.StatusUnauthorized, "Unauthorized", "")
}

// RefuseAzure sends an error in Azure's format, with a code and that of its inner error.
func RefuseAzure(w http.ResponseWriter, status int, code, inner string) {
	body := map[string]any{"code": code, "message": "the service says why"}
	if inner != "" {
		body["innererror"] = map[string]string{"code": inner}
	}
	w.Header().Set("X-Ms-Request-Id", "request-1")
	WriteJSON(w, status, map[string]any{"error": body})
}
