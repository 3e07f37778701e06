package kmsserver

import (
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// Token is the bearer token that the Google and Azure servers accept.
const Token = "token-that-is-accepted"

// StartGoogle starts a server with the protocol of Google's Cloud KMS.
// https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt
func StartGoogle(t testing.TB) *Server {
	s := newServer()
	s.Server = httptest.NewServer(http.HandlerFunc(s.serveGoogle))
	t.Cleanup(s.Close)
	return s
}

// A googleRequest is the body of a request. The protocol does not require the checksums. This server
// requires them, so that a test notices if a client does not send them.
type googleRequest struct {
	Plaintext                         []byte `json:"plaintext"`
	PlaintextCrc32c                   int64  `json:"plaintextCrc32c,string"`
	Ciphertext                        []byte `json:"ciphertext"`
	CiphertextCrc32c                  int64  `json:"ciphertextCrc32c,string"`
	AdditionalAuthenticatedData       []byte `json:"additionalAuthenticatedData"`
	AdditionalAuthenticatedDataCrc32c int64  `json:"additionalAuthenticatedDataCrc32c,string"`
}

// serveGoogle serves the operations encrypt and decrypt.
func (s *Server) serveGoogle(w http.ResponseWriter, r *http.Request) {
	name, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	if r.Header.Get("Authorization") != "Bearer "+Token {
		RefuseGoogle(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
		return
	}
	var req googleRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.Method != http.MethodPost {
		RefuseGoogle(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received.")
		return
	}

	state, versions, isAnswered := s.beginRequest(w, r, operation, name)
	if isAnswered {
		// The test sent a response of its own.
		return
	}
	if state != "" {
		refuseGoogleKey(w, name, state)
		return
	}
	if !req.checksumsMatch(operation) {
		RefuseGoogle(w, http.StatusBadRequest, "INVALID_ARGUMENT", "The checksum in a field did not match the data.")
		return
	}
	if operation == "encrypt" {
		encryptGoogle(w, name, &req, versions)
		return
	}
	decryptGoogle(w, &req, versions)
}

// refuseGoogleKey sends the error for a key that cannot be used.
func refuseGoogleKey(w http.ResponseWriter, name, state string) {
	switch state {
	case "missing":
		RefuseGoogle(w, http.StatusNotFound, "NOT_FOUND", "CryptoKey "+name+" not found.")
	case "denied":
		RefuseGoogle(w, http.StatusForbidden, "PERMISSION_DENIED",
			"Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource '"+name+"' (or it may not exist).")
	default:
		RefuseGoogle(w, http.StatusBadRequest, "FAILED_PRECONDITION",
			name+"/cryptoKeyVersions/1 is not enabled, current state is: "+strings.ToUpper(state)+".")
	}
}

// checksumsMatch reports whether the checksums in the request are those of the fields that the
// operation uses.
func (req *googleRequest) checksumsMatch(operation string) bool {
	if sum(req.AdditionalAuthenticatedData) != req.AdditionalAuthenticatedDataCrc32c {
		return false
	}
	switch operation {
	case "encrypt":
		return sum(req.Plaintext) == req.PlaintextCrc32c
	case "decrypt":
		return sum(req.Ciphertext) == req.CiphertextCrc32c
	default:
		// The other operations have no data.
		return true
	}
}

// encryptGoogle responds with the ciphertext, which is a byte with the number of the key's newest
// version and the sealed bytes.
func encryptGoogle(w http.ResponseWriter, name string, req *googleRequest, versions []cipher.AEAD) {
	newest := len(versions)
	sealed := versions[newest-1].Seal(nil, nil, req.Plaintext, req.AdditionalAuthenticatedData)
	ciphertext := append([]byte{byte(newest)}, sealed...)
	WriteJSON(w, http.StatusOK, map[string]any{
		"name":                    fmt.Sprintf("%s/cryptoKeyVersions/%d", name, newest),
		"protectionLevel":         "SOFTWARE",
		"ciphertext":              base64.StdEncoding.EncodeToString(ciphertext),
		"ciphertextCrc32c":        strconv.FormatInt(sum(ciphertext), 10),
		"verifiedPlaintextCrc32c": true,
		"verifiedAdditionalAuthenticatedDataCrc32c": true,
	})
}

// decryptGoogle responds with the plaintext that encryptGoogle was sent.
func decryptGoogle(w http.ResponseWriter, req *googleRequest, versions []cipher.AEAD) {
	data, err := openGoogle(req, versions)
	if err != nil {
		RefuseGoogle(w, http.StatusBadRequest, "INVALID_ARGUMENT",
			"Decryption failed: verify that 'name' refers to the correct CryptoKey.")
		return
	}
	WriteJSON(w, http.StatusOK, map[string]any{
		"plaintext":       base64.StdEncoding.EncodeToString(data),
		"plaintextCrc32c": strconv.FormatInt(sum(data), 10),
		"usedPrimary":     true,
		"protectionLevel": "SOFTWARE",
	})
}

// openGoogle decrypts the ciphertext with the version of the key that its first byte names.
func openGoogle(req *googleRequest, versions []cipher.AEAD) ([]byte, error) {
	if len(req.Ciphertext) == 0 {
		return nil, errors.New("no ciphertext")
	}
	number := int(req.Ciphertext[0])
	if number < 1 || number > len(versions) {
		return nil, errors.New("no such version")
	}
	return versions[number-1].Open(nil, nil, req.Ciphertext[1:], req.AdditionalAuthenticatedData)
}

// sum returns the CRC32C of data.
func sum(data []byte) int64 { return int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))) }

// RefuseGoogle sends an error in Google's format.
func RefuseGoogle(w http.ResponseWriter, status int, code, message string) {
	WriteJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "status": code}})
}
