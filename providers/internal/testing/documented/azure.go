package documented

import (
	"fmt"
	"net/http"
	"strings"
)

const (
	azureErrors = "https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes"
	azureBlobs  = "https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes"
	azureCopies = "https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2#copy-api-error-response"
	azureTimes  = "https://learn.microsoft.com/rest/api/storageservices/setting-timeouts-for-blob-service-operations"
)

// Azure has the transient answers of Blob Storage. These answers are left out:
//
//   - 403 after a role was granted or a stored access policy was set. It lasts for minutes, and no
//     driver can wait so long.
//   - PendingCopyOperation while another client copies to the key. It may last for minutes, too.
//   - 429, which only the management plane sends.
//   - AccountBeingCreated. Tests need a container, and an account that is being created has none
//     yet.
var Azure = []Answer{
	azureRefusal(
		"ServerBusy", http.StatusServiceUnavailable, "Operations per second is over the account limit.",
		"Azure/azure-sdk-for-go#22139",
	),
	azureError(
		"InternalError", http.StatusInternalServerError,
		"The server encountered an internal error. Please retry the request.", azureErrors,
	),
	azureError(
		"OperationTimedOut", http.StatusInternalServerError,
		"The operation could not be completed within the permitted time.", azureErrors,
	),
	{
		Status: http.StatusServiceUnavailable,
		Header: map[string]string{"Content-Type": "text/html; charset=us-ascii", "Server": "Microsoft-HTTPAPI/2.0"},
		Body:   func([]byte) string { return "<HTML><BODY><h2>Service Unavailable</h2></BODY></HTML>" },
		Name:   "503 of the front end",
		Source: "KnpLabs/Gaufrette#210",
	},
	answerAfterEffect(
		azureError(
			"OperationTimedOut", http.StatusInternalServerError,
			"Operation could not be completed within the specified time.", "MicrosoftDocs/architecture-center#4274",
			"Put Blob", "Put Block", "Put Block List", "Put Block From URL", "Copy Blob From URL", "DELETE blob",
			"PUT tags", "Blob Batch",
		),
	),
	azureRefusal(
		"CannotVerifyCopySource", http.StatusInternalServerError,
		"Could not verify the copy source within the specified time.", azureBlobs, azureCopying...),
	unreadable(
		azureRefusal(
			"CannotVerifyCopySource", http.StatusServiceUnavailable, "The server is busy.", azureCopies,
			azureCopying...),
	),
	azureRefusal(
		"CannotVerifyCopySource", http.StatusConflict, "Source blob block list XML is corrupted.",
		"Azure/azure-sdk-for-net#26416", "Copy Blob From URL",
	),
	azureRefusal(
		"ContainerBeingDeleted", http.StatusConflict, "The specified container is being deleted. Try operation later.",
		"https://learn.microsoft.com/rest/api/storageservices/delete-container",
		"PUT container",
	),
	{
		Kinds:  []string{"Blob Batch"},
		Status: http.StatusAccepted,
		Body:   timedOutParts,
		Header: map[string]string{"X-Ms-Request-Id": "R1", "Content-Type": "multipart/mixed; boundary=batchresponse_1"},
		Name:   "OperationTimedOut for each key",
		Source: azureTimes,
	},
}

var azureCopying = []string{"Copy Blob From URL", "Put Block From URL"}

// azureError returns an error answer of Blob Storage to requests of these kinds. source is the page that
// documents the error.
func azureError(code string, status int, message, source string, kinds ...string) Answer {
	return Answer{
		Kinds:  kinds,
		Status: status,
		Source: source,
		Name:   fmt.Sprintf("%s (%d)", code, status),
		Header: map[string]string{
			"X-Ms-Request-Id": "R1",
			"X-Ms-Error-Code": code,
			"Content-Type":    "application/xml",
		},
		Body: func([]byte) string { return azureBody(code, message) },
	}
}

// azureRefusal returns an error answer that proves that the request had no effect.
func azureRefusal(code string, status int, message, source string, kinds ...string) Answer {
	a := azureError(code, status, message, source, kinds...)
	a.NoEffect = true
	return a
}

// azureBody returns the body of an error. Like Azure's, it begins with a byte order mark.
func azureBody(code, message string) string {
	return "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>" + code + "</Code><Message>" + message +
		"\nRequestId:R1\nTime:2026-01-01T00:00:00.0000000Z</Message></Error>"
}

// answerAfterEffect returns a copy of an answer. The copy is sent only after the request has taken effect.
func answerAfterEffect(a Answer) Answer {
	a.Done = true
	a.Name += " after the effect"
	return a
}

// unreadable adds headers to the answer to a copy. The headers say that the source of the copy
// cannot be read, because the server of the source is busy.
func unreadable(a Answer) Answer {
	a.Header["X-Ms-Copy-Source-Status-Code"] = "503"
	a.Header["X-Ms-Copy-Source-Error-Code"] = "ServerBusy"
	return a
}

// timedOutParts returns the body of the response to a batch each of whose requests has timed out.
func timedOutParts(request []byte) string {
	const timeout = "HTTP/1.1 500 Operation could not be completed within the specified time.\r\n" +
		"x-ms-error-code: OperationTimedOut\r\nx-ms-request-id: R1\r\nContent-Length: 0\r\n\r\n\r\n"
	count := strings.Count(strings.ToLower(string(request)), "content-id:")
	var body strings.Builder
	for i := range count {
		fmt.Fprintf(&body, "--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\n", i)
		body.WriteString(timeout)
	}
	body.WriteString("--batchresponse_1--\r\n")
	return body.String()
}

// azureOperations maps a method and a parameter comp to the name of the operation. Operations that
// are not in the map are named by method and comp.
var azureOperations = map[string]string{
	"PUT ":          "Put Blob",
	"PUT block":     "Put Block",
	"PUT blocklist": "Put Block List",
	"POST batch":    "Blob Batch",
}

// AzureKind returns the container of a request to Blob Storage, and the kind of the request, which is
// the name of the operation. The path must begin with the account and the container. The kind is ""
// for a signed URL, to whose requests a [Server] sends no [Answer], because its clients do not retry.
//
// A call for an open upload makes many requests for its parts. If one of these requests fails, the
// call repeats all of them. Each failure therefore costs one attempt of the call, and tests of open
// uploads must permit many attempts.
func AzureKind(r *http.Request) (bucket, kind string) {
	bucket, key := azureBlob(r)
	query := r.URL.Query()
	if query.Has("sig") || r.Header.Get("Authorization") == "" {
		return bucket, ""
	}
	if strings.HasPrefix(key, ".omnibucket/") || strings.HasPrefix(query.Get("prefix"), ".omnibucket/") {
		return bucket, azureOperation(r, key) + ofParts
	}
	return bucket, azureOperation(r, key)
}

// azureOperation returns the name of a request's operation, with " if" after it if the request has a
// condition.
func azureOperation(r *http.Request, key string) string {
	comp := r.URL.Query().Get("comp") // what the request is about, such as "block", or ""
	name := r.Method + " " + comp
	isOfContainer := key == "" && name != "POST batch"
	if isOfContainer {
		return strings.TrimSpace(r.Method + " container " + comp)
	}
	operation, isNamed := azureOperations[name]
	if !isNamed {
		if comp == "" {
			return r.Method + " blob"
		}
		return name
	}

	if r.Header.Get("X-Ms-Copy-Source") != "" {
		switch operation {
		case "Put Block":
			operation = "Put Block From URL"
		case "Put Blob":
			operation = "Copy Blob From URL"
		}
	}
	if hasCondition(r) {
		operation += " if"
	}
	return operation
}
