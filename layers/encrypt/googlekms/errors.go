package googlekms

import (
	"encoding/json"
	"errors"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

// meanings maps the errors of Cloud KMS by the status in the body, which is a name of
// google.rpc.Code.
// https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/decrypt
var meanings = kms.ByCode(map[kms.Meaning]string{
	{Code: storage.PermissionDenied, Hint: "grant roles/cloudkms.cryptoKeyEncrypterDecrypter on the key, or check that there is one of this name"}: "PERMISSION_DENIED",
	{Code: storage.PermissionDenied, Hint: kms.DisabledHint}: "FAILED_PRECONDITION",
	{Code: storage.InvalidArgument, Hint: kms.MissingHint}:   "NOT_FOUND",
	{Code: storage.InvalidArgument}:                          "INVALID_ARGUMENT",
	{Code: storage.Unauthenticated}:                          "UNAUTHENTICATED",
	{Code: storage.RateLimited}:                              "RESOURCE_EXHAUSTED",
	{Code: storage.Unavailable}:                              "UNAVAILABLE INTERNAL DEADLINE_EXCEEDED ABORTED",
})

// requestError returns the error of a request, without the given secrets.
func requestError(err error, secrets ...[]byte) error {
	response, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return kms.NoResponse(service, err)
	}
	if strings.HasPrefix(response.Message, "Decryption failed") {
		// The ciphertext and the additional data do not fit.
		return kms.WrongObject(service)
	}

	// The error is ignored, because the response of a gateway is not JSON.
	var body struct{ Error struct{ Status string } }
	_ = json.Unmarshal([]byte(response.Body), &body)

	r := kms.Response{Code: body.Error.Status, Status: response.Code, Header: response.Header}
	if r.Code != "" {
		r.Message = response.Message
	}
	return kms.Failed(service, r, meanings, secrets...)
}
