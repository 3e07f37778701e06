package azurekeyvault

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

// meanings maps the error codes of Key Vault. If an error has an inner code, that code counts
// first, and then the outer code.
// https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
var meanings = kms.ByCode(map[kms.Meaning]string{
	{Code: storage.PermissionDenied, Hint: kms.DisabledHint}: "KeyDisabled KeyNotYetValid KeyExpired",
	{
		Code: storage.PermissionDenied,
		Hint: "permit wrapKey to write and unwrapKey to read, by a role such as Key Vault Crypto Service Encryption User",
	}: "Forbidden AccessDenied ForbiddenByRbac ForbiddenByPolicy KeyOperationForbidden",
	{Code: storage.PermissionDenied, Hint: "permit the network of this machine in the firewall of the vault"}: "ForbiddenByFirewall ForbiddenByConnection",
	{Code: storage.InvalidArgument, Hint: kms.MissingHint}:                                                    "KeyNotFound NotFound ObjectIsDeletedButRecoverable",
	{Code: storage.InvalidArgument}:                                                                           "BadParameter",
	{Code: storage.Unauthenticated}:                                                                           "Unauthorized AKV10000 AKV10032",
	{Code: storage.RateLimited}:                                                                               "Throttled TooManyRequests",
})

// A document is the body of an error response.
type document struct {
	Error struct {
		Code       string
		Message    string
		InnerError struct{ Code string }
	}
}

// requestError returns the error of a request without the given secrets, which only a request to
// encrypt has.
func requestError(err error, secrets ...[]byte) error {
	respErr, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok || respErr.RawResponse == nil {
		return kms.NoResponse(service, err)
	}
	doc := readDocument(respErr.RawResponse.Body)
	resp := kms.Response{
		Status:    respErr.StatusCode,
		Header:    respErr.RawResponse.Header,
		RequestID: respErr.RawResponse.Header.Get("X-Ms-Request-Id"),
		Code:      doc.Error.Code,
		Message:   doc.Error.Message,
	}

	// The inner code is preferred if its meaning is known.
	if _, isKnown := meanings[doc.Error.InnerError.Code]; isKnown {
		resp.Code = doc.Error.InnerError.Code
	}

	// If the vault cannot decrypt the bytes, it has not encrypted them.
	isDecryption := len(secrets) == 0
	isBadParameter := resp.Status == http.StatusBadRequest && resp.Code == "BadParameter"
	if isDecryption && isBadParameter {
		return kms.WrongObject(service)
	}
	return kms.Failed(service, resp, meanings, secrets...)
}

// readDocument reads the body of an error. The result is empty if the body is no JSON, as that of a
// gateway.
func readDocument(body io.Reader) document {
	const maxBytes = 64 << 10
	var doc document
	if body == nil {
		return doc
	}
	data, err := io.ReadAll(io.LimitReader(body, maxBytes))
	if err != nil {
		return doc
	}
	_ = json.Unmarshal(data, &doc)
	return doc
}
