package documented

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const (
	googleJSON    = "https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes"
	googleXML     = "https://docs.cloud.google.com/storage/docs/xml-api/reference-status"
	googleSession = "https://docs.cloud.google.com/storage/docs/performing-resumable-uploads"
	googleQuotas  = "https://docs.cloud.google.com/storage/quotas"
	googlePolicy  = "https://docs.cloud.google.com/storage/docs/json_api/v1/buckets/setIamPolicy"
)

// Google is the list of transient answers of Google Cloud Storage. These are error responses to
// requests that succeed when they are repeated. Requests that read bytes have the kind "GET bytes".
// They use the XML API, and error bodies of the XML API differ from those of the JSON API.
var Google = []Answer{
	googleError(http.StatusServiceUnavailable, "backendError", "Backend Error", googleJSON),
	googleError(
		http.StatusInternalServerError, "internalError", "We encountered an internal error. Please try again.",
		googleJSON,
	),
	googleError(
		http.StatusTooManyRequests, "rateLimitExceeded",
		"The object exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate.",
		"https://docs.cloud.google.com/storage/docs/gcs429",
	),
	withDetail(
		"buckets",
		googleError(
			http.StatusTooManyRequests, "rateLimitExceeded",
			"The project exceeded the rate limit for creating and deleting buckets.",
			"googleapis/google-cloud-python#2161", "POST buckets", "DELETE bucket",
		),
	),
	withDetail(
		"a bucket",
		googleError(
			http.StatusTooManyRequests, "rateLimitExceeded", "The bucket exceeded the rate limit for updates.",
			googleQuotas,
			"PATCH bucket",
		),
	),
	googleError(
		http.StatusPreconditionFailed, "conditionNotMet",
		"At least one of the pre-conditions you specified did not hold.",
		googlePolicy, "PUT iam",
	),
	googleError(
		http.StatusRequestTimeout, "uploadBrokenConnection", "Request timed out", googleJSON, "insert", "session",
		"chunk",
	),
	googleError(
		http.StatusConflict, "conflict",
		"The metadata for object \"null\" was edited during the operation. Please try again.",
		"googleapis/google-cloud-java#12630", "PATCH object",
	),
	googlePage(http.StatusBadGateway, "googleapis/nodejs-storage#1233"),
	googlePage(http.StatusGatewayTimeout, googleJSON),
	answerAfterStore(googleError(http.StatusServiceUnavailable, "backendError", "Backend Error", googleSession, "chunk")),
	googleXMLError(http.StatusServiceUnavailable, "ServiceUnavailable", "Service unavailable."),
	googleXMLError(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."),
	googleXMLError(http.StatusTooManyRequests, "SlowDown", "Please reduce your request rate."),
}

// GoogleLost lists the answers that end an upload session or a rewrite. The client must then start
// over. An upload of a stream cannot start over.
var GoogleLost = []Answer{
	googleError(http.StatusNotFound, "notFound", "Not Found", googleSession, "chunk"),
	googleError(http.StatusGone, "backendError", "Backend Error", "googleapis/google-cloud-java#3586", "chunk"),
	googleError(http.StatusGone, "gone", "Gone", googleJSON, "chunk", "POST rewriteTo again"),
}

// googleError returns an error answer of the JSON API to requests of the given kinds. A status below
// 500 proves that the request had no effect.
func googleError(status int, reason, message, source string, kinds ...string) Answer {
	body := fmt.Sprintf(
		`{"error":{"code":%d,"message":%q,"errors":[{"message":%[2]q,"domain":"global","reason":%q}]}}`,
		status, message, reason,
	)
	return Answer{
		Kinds:  kinds,
		Except: []string{xmlRead},
		Status: status,
		Header: map[string]string{
			"X-Guploader-Uploadid": "R1",
			"Content-Type":         "application/json; charset=UTF-8",
		},
		Body:     func([]byte) string { return body },
		Name:     fmt.Sprintf("%d %s", status, reason),
		Source:   source,
		NoEffect: status < http.StatusInternalServerError,
	}
}

// googleXMLError returns an error answer of the XML API. nextcloud/server#12537 shows such a body.
func googleXMLError(status int, code, message string) Answer {
	body := fmt.Sprintf(
		`<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>`,
		code,
		message,
	)
	return Answer{
		Kinds:  []string{xmlRead},
		Status: status,
		Header: map[string]string{
			"X-Guploader-Uploadid": "R1",
			"Content-Type":         "application/xml; charset=UTF-8",
			"Cache-Control":        "private, max-age=0",
		},
		Body:     func([]byte) string { return body },
		Name:     fmt.Sprintf("%d %s", status, code),
		Source:   googleXML,
		NoEffect: true,
	}
}

// googlePage returns an error answer of Google's front end, which is an HTML page without any header of
// the storage service.
func googlePage(status int, source string) Answer {
	body := fmt.Sprintf("<!DOCTYPE html>\n<html lang=en>\n<title>Error %d (Server Error)!!1</title>\n", status)
	return Answer{
		Status: status,
		Header: map[string]string{"Content-Type": "text/html; charset=UTF-8"},
		Body:   func([]byte) string { return body },
		Name:   fmt.Sprintf("%d page", status),
		Source: source,
	}
}

// withDetail returns a copy of an answer. The given text is added to the name of the copy.
func withDetail(detail string, a Answer) Answer {
	a.Name += ", about " + detail
	return a
}

// answerAfterStore returns a copy of an answer. The copy is sent after the session has stored the bytes of the
// request.
func answerAfterStore(a Answer) Answer {
	a.Done = true
	a.Name += ", and the session has the bytes"
	return a
}

const xmlRead = "GET bytes"

// GoogleKind returns the bucket and the kind of a request to Google Cloud Storage. The kind is "" for a
// signed URL, whose request a Server must pass on, because its users do not repeat requests.
func GoogleKind(r *http.Request) (bucket, kind string) {
	query := r.URL.Query()
	if query.Has("X-Goog-Signature") {
		return "", ""
	}

	// The first element of the path shows which API the request is for.
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch path[0] {
	case "upload": // upload/storage/v1/b/BUCKET/o
		if len(path) < 5 {
			return "", ""
		}
		return path[4], googleUploadKind(r.Method, query)
	case "storage": // storage/v1/b/BUCKET/o/OBJECT, or a shorter path
		switch len(path) {
		case 1, 2:
			return "", ""
		case 3:
			return "", r.Method + " buckets"
		case 4:
			return path[3], r.Method + " bucket"
		default:
			return path[3], jsonKind(r.Method, path[4:], query)
		}
	default: // a request of the XML API, or a form
		if r.Method == http.MethodGet {
			return path[0], xmlRead
		}
		return "", ""
	}
}

// googleUploadKind returns the kind of a request that uploads an object, or that is about the session of
// a resumable upload, which upload_id names.
func googleUploadKind(method string, query url.Values) string {
	switch {
	case query.Has("upload_id") && method == http.MethodPut:
		return "chunk"
	case query.Has("upload_id"):
		return method + " session"
	case query.Get("uploadType") == "resumable":
		return "session" // begins a session
	default:
		return "insert"
	}
}

// jsonKind returns the kind of a request whose path ends with "o", "o/OBJECT" or "o/OBJECT/action".
func jsonKind(method string, path []string, query url.Values) string {
	if path[0] != "o" {
		return method + " " + path[0]
	}
	if len(path) == 1 {
		return method + " list"
	}
	if len(path) > 2 {
		action := path[2]
		isFurtherCall := query.Has("rewriteToken")
		if isFurtherCall {
			return method + " " + action + " again"
		}
		return method + " " + action
	}
	if query.Get("alt") == "media" {
		return method + " media"
	}
	return method + " object"
}
