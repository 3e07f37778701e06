package kmsserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// These are the only credentials that the AWS server accepts.
const (
	AccessKeyID = "the-key"
	SecretKey   = "the-secret"
)

// StartAWS starts a server with the protocol of AWS KMS: JSON 1.1, with requests that are signed
// with version 4 for the region of their key.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
func StartAWS(t testing.TB) *Server {
	s := newServer()
	s.Server = httptest.NewServer(http.HandlerFunc(s.serveAWS))
	t.Cleanup(s.Close)
	return s
}

type awsRequest struct {
	KeyID             string `json:"KeyId"`
	Plaintext         []byte
	CiphertextBlob    []byte
	EncryptionContext map[string]string
}

func (s *Server) serveAWS(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	region, isSigned := signedRegion(r, body)
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	var in awsRequest
	if r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || !ok || json.Unmarshal(body, &in) != nil {
		refuseAWS(w, "SerializationException")
		return
	}
	if !isSigned {
		refuseAWS(w, "InvalidSignatureException")
		return
	}
	state, versions, answered := s.begin(w, r, operation, in.KeyID)
	if answered {
		return
	}
	parts := strings.Split(in.KeyID, ":")
	if state == "missing" || len(parts) < 6 || parts[3] != region {
		refuseAWS(w, "NotFoundException")
		return
	}
	if state == "disabled" {
		refuseAWS(w, "DisabledException")
		return
	}
	if state == "deleted" {
		refuseAWS(w, "KMSInvalidStateException")
		return
	}
	if state == "denied" {
		refuseAWS(w, "AccessDeniedException")
		return
	}
	bound, _ := json.Marshal(in.EncryptionContext) // Marshal sorts the names, so that equal contexts give equal texts
	id := parts[5]
	result := map[string]any{"KeyId": in.KeyID, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
	if operation == "Encrypt" {
		result["CiphertextBlob"] = append([]byte(id+"\n"), versions[0].Seal(nil, nil, in.Plaintext, bound)...)
		WriteJSON(w, http.StatusOK, result)
		return
	}
	name, sealed, _ := bytes.Cut(in.CiphertextBlob, []byte("\n"))
	if string(name) != id && strings.HasPrefix(string(name), "key/") {
		refuseAWS(w, "IncorrectKeyException")
		return
	}
	data, err := versions[0].Open(nil, nil, sealed, bound)
	if err != nil {
		refuseAWS(w, "InvalidCiphertextException")
		return
	}
	result["Plaintext"] = data
	WriteJSON(w, http.StatusOK, result)
}

func refuseAWS(w http.ResponseWriter, code string) {
	w.Header().Set("X-Amzn-RequestId", "request-1")
	WriteJSON(w, http.StatusBadRequest, map[string]string{"__type": code, "message": "the service says why"})
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=` + AccessKeyID +
	`/\d{8}/([a-z0-9-]+)/kms/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$`)

// signedRegion returns the region for which a request is signed. ok is false if the signature is
// not valid.
func signedRegion(r *http.Request, body []byte) (region string, ok bool) {
	parts := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	t, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if parts == nil || err != nil {
		return "", false
	}
	second, _ := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	for name := range strings.SplitSeq(parts[2], ";") {
		if name != "host" && name != "content-length" {
			second.Header.Set(name, r.Header.Get(name))
		}
	}
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretKey}
	hash := hex.EncodeToString(sum[:])
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, second, hash, "kms", parts[1], t); err != nil {
		return "", false
	}
	return parts[1], second.Header.Get("Authorization") == r.Header.Get("Authorization")
}
