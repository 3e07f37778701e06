package kmsserver

import (
	"encoding/base64"
	"encoding/json"
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

// The protocol does not require the checksums. This server requires them, so that a test notices if
// a client does not send them.
type googleRequest struct {
	Plaintext                         []byte `json:"plaintext"`
	PlaintextCrc32c                   int64  `json:"plaintextCrc32c,string"`
	Ciphertext                        []byte `json:"ciphertext"`
	CiphertextCrc32c                  int64  `json:"ciphertextCrc32c,string"`
	AdditionalAuthenticatedData       []byte `json:"additionalAuthenticatedData"`
	AdditionalAuthenticatedDataCrc32c int64  `json:"additionalAuthenticatedDataCrc32c,string"`
}

func (s *Server) serveGoogle(w http.ResponseWriter, r *http.Request) {
	name, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	var in googleRequest
	if r.Header.Get("Authorization") != "Bearer "+Token {
		RefuseGoogle(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
		return
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || r.Method != http.MethodPost {
		RefuseGoogle(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received.")
		return
	}
	state, versions, answered := s.begin(w, r, operation, name)
	switch {
	case answered:
		return
	case state == "missing":
		RefuseGoogle(w, http.StatusNotFound, "NOT_FOUND", "CryptoKey "+name+" not found.")
	case state == "denied":
		RefuseGoogle(
			w, http.StatusForbidden, "PERMISSION_DENIED",
			"Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource '"+name+"' (or it may not exist).",
		)
	case state != "":
		RefuseGoogle(
			w, http.StatusBadRequest, "FAILED_PRECONDITION",
			name+"/cryptoKeyVersions/1 is not enabled, current state is: "+strings.ToUpper(state)+".",
		)
	case sum(in.AdditionalAuthenticatedData) != in.AdditionalAuthenticatedDataCrc32c ||
		operation == "encrypt" && sum(in.Plaintext) != in.PlaintextCrc32c ||
		operation == "decrypt" && sum(in.Ciphertext) != in.CiphertextCrc32c:
		RefuseGoogle(w, http.StatusBadRequest, "INVALID_ARGUMENT", "The checksum in a field did not match the data.")
	case operation == "encrypt":
		newest := len(versions)
		sealed := append(
			[]byte{byte(newest)},
			versions[newest-1].Seal(nil, nil, in.Plaintext, in.AdditionalAuthenticatedData)...)
		WriteJSON(w, http.StatusOK, map[string]any{
			"name":                    fmt.Sprintf("%s/cryptoKeyVersions/%d", name, newest),
			"protectionLevel":         "SOFTWARE",
			"ciphertext":              base64.StdEncoding.EncodeToString(sealed),
			"ciphertextCrc32c":        strconv.FormatInt(sum(sealed), 10),
			"verifiedPlaintextCrc32c": true,
			"verifiedAdditionalAuthenticatedDataCrc32c": true,
		})
	default:
		var data []byte
		err := fmt.Errorf("no such version")
		if n := len(in.Ciphertext); n > 0 && int(in.Ciphertext[0]) <= len(versions) && in.Ciphertext[0] > 0 {
			data, err = versions[in.Ciphertext[0]-1].Open(nil, nil, in.Ciphertext[1:], in.AdditionalAuthenticatedData)
		}
		if err != nil {
			RefuseGoogle(
				w, http.StatusBadRequest, "INVALID_ARGUMENT",
				"Decryption failed: verify that 'name' refers to the correct CryptoKey.",
			)
			return
		}
		WriteJSON(w, http.StatusOK, map[string]any{
			"plaintext":       base64.StdEncoding.EncodeToString(data),
			"plaintextCrc32c": strconv.FormatInt(sum(data), 10),
			"usedPrimary":     true,
			"protectionLevel": "SOFTWARE",
		})
	}
}

func sum(data []byte) int64 { return int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))) }

// RefuseGoogle sends an error in Google's format.
func RefuseGoogle(w http.ResponseWriter, status int, code, message string) {
	WriteJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "status": code}})
}
