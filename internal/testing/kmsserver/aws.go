package kmsserver

import (
	"bytes"
	"crypto/cipher"
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

// StartAWS starts a server with the protocol of AWS KMS, which is JSON 1.1 with requests that are
// signed with version 4 for the region of their key:
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

// serveAWS serves the operations Encrypt and Decrypt.
func (s *Server) serveAWS(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		// The client has closed the connection.
		return
	}

	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if !ok || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		refuseAWS(w, "SerializationException")
		return
	}
	var req awsRequest
	if err := json.Unmarshal(body, &req); err != nil {
		refuseAWS(w, "SerializationException")
		return
	}

	region, isSigned := signedRegion(r, body)
	if !isSigned {
		refuseAWS(w, "InvalidSignatureException")
		return
	}

	state, versions, isAnswered := s.beginRequest(w, r, operation, req.KeyID)
	if isAnswered {
		// The test sent a response of its own.
		return
	}

	// The ID of a key is arn:aws:kms:REGION:ACCOUNT:key/NAME.
	arn := strings.Split(req.KeyID, ":")
	isInRegion := len(arn) >= 6 && arn[3] == region
	if state == "missing" || !isInRegion {
		refuseAWS(w, "NotFoundException")
		return
	}
	if code := awsRefusals[state]; code != "" {
		refuseAWS(w, code)
		return
	}

	// Clients of AWS cannot see the versions of a key, so this server uses only one.
	name := arn[5]
	if operation == "Encrypt" {
		encryptAWS(w, &req, name, versions[0])
		return
	}
	decryptAWS(w, &req, name, versions[0])
}

// awsRefusals are the codes of the errors for the states of a key.
var awsRefusals = map[string]string{
	"disabled": "DisabledException",
	"deleted":  "KMSInvalidStateException",
	"denied":   "AccessDeniedException",
}

// encryptAWS responds with the ciphertext, which is the ID of the key, a line break and the sealed
// bytes.
func encryptAWS(w http.ResponseWriter, req *awsRequest, id string, key cipher.AEAD) {
	sealed := key.Seal(nil, nil, req.Plaintext, req.boundContext())
	WriteJSON(w, http.StatusOK, map[string]any{
		"KeyId":               req.KeyID,
		"EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
		"CiphertextBlob":      append([]byte(id+"\n"), sealed...),
	})
}

// decryptAWS responds with the plaintext that encryptAWS was sent.
func decryptAWS(w http.ResponseWriter, req *awsRequest, id string, key cipher.AEAD) {
	// A ciphertext begins with the ID of its key. Any other beginning is malformed, and fails below.
	name, sealed, _ := strings.Cut(string(req.CiphertextBlob), "\n")
	isOtherKey := name != id && strings.HasPrefix(name, "key/")
	if isOtherKey {
		refuseAWS(w, "IncorrectKeyException")
		return
	}

	data, err := key.Open(nil, nil, []byte(sealed), req.boundContext())
	if err != nil {
		refuseAWS(w, "InvalidCiphertextException")
		return
	}
	WriteJSON(w, http.StatusOK, map[string]any{
		"KeyId":               req.KeyID,
		"EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
		"Plaintext":           data,
	})
}

// boundContext returns the encryption context as bytes, which are equal for equal contexts because
// Marshal sorts the names.
func (req *awsRequest) boundContext() []byte {
	bound, err := json.Marshal(req.EncryptionContext)
	if err != nil {
		panic(err) // a map of strings can always be encoded
	}
	return bound
}

// refuseAWS sends an error in the format of AWS.
func refuseAWS(w http.ResponseWriter, code string) {
	w.Header().Set("X-Amzn-RequestId", "request-1")
	WriteJSON(w, http.StatusBadRequest, map[string]string{"__type": code, "message": "the service says why"})
}

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=` + AccessKeyID +
	`/\d{8}/([a-z0-9-]+)/kms/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$`)

// signedRegion returns the region for which a request is signed. ok is false if the signature is
// missing, malformed or not valid. To verify it, signedRegion signs the same request again.
func signedRegion(r *http.Request, body []byte) (region string, ok bool) {
	parts := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if parts == nil {
		return "", false
	}
	region = parts[1]
	signedHeaders := parts[2]
	signingTime, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return "", false
	}

	req, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return "", false
	}
	for name := range strings.SplitSeq(signedHeaders, ";") {
		// NewRequest has set the host and the length, which are not in the Header of a request.
		if name != "host" && name != "content-length" {
			req.Header.Set(name, r.Header.Get(name))
		}
	}

	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	credentials := aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretKey}
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, req, hash, "kms", region, signingTime); err != nil {
		return "", false
	}
	return region, req.Header.Get("Authorization") == r.Header.Get("Authorization")
}
