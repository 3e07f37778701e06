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

// failed returns the error of a request. The text of the error contains none of the given secrets.
func failed(err error, secrets ...[]byte) error {
	response, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok || response.RawResponse == nil {
		return kms.NoResponse(service, err)
	}
	r := kms.Response{
		Status:    response.StatusCode,
		Header:    response.RawResponse.Header,
		RequestID: response.RawResponse.Header.Get("X-Ms-Request-Id"),
	}

	var document struct {
		Error struct {
			Code, Message string
			InnerError    struct{ Code string }
		}
	}
	if body := response.RawResponse.Body; body != nil {
		if raw, err := io.ReadAll(io.LimitReader(body, 64<<10)); err == nil {
			// Ignore the error: a gateway's response is not JSON.
			_ = json.Unmarshal(raw, &document)
		}
	}
	r.Code = document.Error.Code
	r.Message = document.Error.Message

	if _, known := meanings[document.Error.InnerError.Code]; known {
		r.Code = document.Error.InnerError.Code
	}
	if len(secrets) == 0 && r.Status == http.StatusBadRequest &&
		r.Code == "BadParameter" { // the vault did not wrap these bytes
		return kms.Another(service)
	}
	return kms.Failed(service, r, meanings, secrets...)
}
