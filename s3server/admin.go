package s3server

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const (
	// adminPath is the path of the admin API. No bucket can have this path, because a bucket name
	// has no underscore.
	adminPath = "/_admin/"
	// maxAdminBody is the maximum size of a request in bytes. maxFaults is the maximum number of
	// faults. They bound the memory that clients of the admin API can occupy.
	maxAdminBody = 64 << 10
	maxFaults    = 1000
)

// isAdminRequest reports whether a request is for the admin API, which exists only if it has a token. At the host of a
// bucket, its paths are keys.
func isAdminRequest(h *Handler, r *http.Request) bool {
	if h.config.AdminToken == "" || !strings.HasPrefix(r.URL.Path, adminPath) {
		return false
	}
	_, isWebsite := h.server.HostWebsite(r.Host)
	return !isWebsite && h.server.HostBucket(r.Host) == ""
}

// Admin returns a handler of the admin API that [Config].AdminToken describes. It does not check the token, so the
// caller must decide who may send requests to it.
func (h *Handler) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_admin/faults", func(w http.ResponseWriter, _ *http.Request) {
		adminResponse(w, http.StatusOK, map[string]any{"faults": h.faults.All()})
	})
	mux.HandleFunc("POST /_admin/faults", h.addFault)
	mux.HandleFunc("DELETE /_admin/faults", func(w http.ResponseWriter, _ *http.Request) {
		h.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /_admin/faults/{id}", h.removeFault)
	mux.HandleFunc("GET /_admin/requests", h.listRequests)
	mux.HandleFunc("DELETE /_admin/requests", func(w http.ResponseWriter, _ *http.Request) {
		h.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	h.handleViews(mux)
	mux.HandleFunc("/_admin/", func(w http.ResponseWriter, _ *http.Request) {
		adminError(w, http.StatusNotFound, "there is nothing at this address and method")
	})
	return mux
}

// newAdmin returns the admin API. It refuses every request without Config.AdminToken as a bearer token.
func newAdmin(h *Handler) http.Handler {
	mux := h.Admin()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(token), []byte(h.config.AdminToken)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			adminError(w, http.StatusUnauthorized, "the header Authorization must be Bearer and the token")
			return
		}

		// Ignore an error, because the ResponseRecorder of a test has no deadline.
		deadline := time.Now().Add(h.server.Limits.IdleTimeout)
		_ = http.NewResponseController(w).SetReadDeadline(deadline)
		mux.ServeHTTP(w, r)
	})
}

func adminError(w http.ResponseWriter, status int, text string) {
	adminResponse(w, status, map[string]string{"error": text})
}

func adminResponse(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // encoding fails only if the client has disconnected
}

// addFault adds the fault in the JSON body of the request, and responds with its id.
func (h *Handler) addFault(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}

	var f Fault
	if err := json.Unmarshal(body, &f); err != nil {
		adminError(w, http.StatusBadRequest, err.Error())
		return
	}
	if len(h.faults.All()) >= maxFaults {
		adminError(w, http.StatusConflict, "there are too many faults: remove some")
		return
	}

	id := h.faults.Add(f.trigger(), f)
	adminResponse(w, http.StatusCreated, map[string]int{"id": id})
}

func (h *Handler) removeFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !h.faults.Remove(id) {
		adminError(w, http.StatusNotFound, "there is no fault with this id")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// listRequests responds with the latest requests, without their secrets, and with the numbers of all requests.
func (h *Handler) listRequests(w http.ResponseWriter, _ *http.Request) {
	requests := h.Requests()
	for i := range requests {
		req := &requests[i]
		req.Query = withoutSecrets(req.Query)
		req.Header = withoutSecrets(req.Header)
	}

	adminResponse(w, http.StatusOK, map[string]any{
		"total":    h.Count(""),
		"counts":   h.counts(),
		"requests": requests,
	})
}

// withoutSecrets returns a copy of headers or query parameters without signatures, tokens and keys.
func withoutSecrets[M ~map[string][]string](m M) M {
	result := M{}
	for name, values := range m {
		if !isSecret(name) {
			result[name] = values
		}
	}
	return result
}

// secretWords has words in the names of headers and query parameters whose values are secret.
var secretWords = []string{"authorization", "cookie", "signature", "token", "customer-key"}

// isSecret reports whether the value of the header or query parameter with this name is secret.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// plainFault is a Fault without the methods MarshalJSON and UnmarshalJSON, which would otherwise
// call themselves.
type plainFault Fault

// A faultJSON is the JSON of a Fault. Its durations are strings. They replace the durations of
// plainFault, which would be numbers in JSON.
type faultJSON struct {
	plainFault
	RetryAfter jsonDuration `json:"retryAfter,omitzero"`
	Latency    jsonDuration `json:"latency,omitzero"`
	ClockSkew  jsonDuration `json:"clockSkew,omitzero"`
	Stale      jsonDuration `json:"stale,omitzero"`
}

// A jsonDuration is a string such as "250ms".
type jsonDuration time.Duration

// MarshalText returns the text of [time.Duration.String].
func (d jsonDuration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText parses the text with [time.ParseDuration].
func (d *jsonDuration) UnmarshalText(text []byte) error {
	duration, err := time.ParseDuration(string(text))
	*d = jsonDuration(duration)
	return err
}

// MarshalJSON returns the JSON that the comment of [Fault] describes.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{
		plainFault: plainFault(f),
		RetryAfter: jsonDuration(f.RetryAfter),
		Latency:    jsonDuration(f.Latency),
		ClockSkew:  jsonDuration(f.ClockSkew),
		Stale:      jsonDuration(f.Stale),
	})
}

// UnmarshalJSON reads the JSON that the comment of [Fault] describes. It fails if a field is unknown, or if a value is
// impossible, such as a negative number.
func (f *Fault) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var doc faultJSON
	if err := decoder.Decode(&doc); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}

	fault := Fault(doc.plainFault)
	fault.RetryAfter = time.Duration(doc.RetryAfter)
	fault.Latency = time.Duration(doc.Latency)
	fault.ClockSkew = time.Duration(doc.ClockSkew)
	fault.Stale = time.Duration(doc.Stale)
	if err := fault.check(); err != nil {
		return err
	}
	*f = fault
	return nil
}

// check fails if a field has an impossible value, such as a negative number.
func (f *Fault) check() error {
	numbers := []struct {
		name  string
		value int64
	}{
		{name: "skip", value: int64(f.Skip)},
		{name: "times", value: int64(f.Times)},
		{name: "rate", value: int64(f.Rate)},
		{name: "bandwidth", value: f.Bandwidth},
		{name: "retryAfter", value: int64(f.RetryAfter)},
		{name: "latency", value: int64(f.Latency)},
		{name: "stale", value: int64(f.Stale)},
		{name: "cutAfter", value: valueOrZero(f.CutAfter)},
		{name: "stallAfter", value: valueOrZero(f.StallAfter)},
		{name: "flipAt", value: valueOrZero(f.FlipAt)},
	}
	for _, n := range numbers {
		if n.value < 0 {
			return fmt.Errorf("%s must not be negative", n.name)
		}
	}

	if !f.hasEffect() {
		return errors.New("a fault must do something to a request")
	}

	// Only known codes have a status of their own.
	if f.Error != "" && !s3error.Known(f.Error) && f.Status == 0 {
		return fmt.Errorf("error must be a known code, or status must be set: %q", f.Error)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return errors.New("status must be from 200 to 599")
	}
	return nil
}

// valueOrZero returns *n, or 0 if n is nil.
func valueOrZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// hasEffect reports whether the fault has any effect on a request.
func (f *Fault) hasEffect() bool {
	return f.Error != "" || f.Status != 0 || f.Redirect != "" || f.DropConnection || f.DropResponse ||
		f.CutAfter != nil || f.StallAfter != nil || f.FlipAt != nil || f.Latency > 0 || f.Bandwidth > 0 ||
		f.ETag != "" || f.ClockSkew != 0 || f.Stale > 0 || len(f.Ignore) > 0 || len(f.Hide) > 0 || f.Reverse
}
