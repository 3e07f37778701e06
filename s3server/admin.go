package s3server

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// adminPath is no bucket, because a name of a bucket has no underscore.
	adminPath = "/_admin/"
	// maxAdminBody and maxFaults bound what a client can make the server keep.
	maxAdminBody = 64 << 10
	maxFaults    = 1000
)

// administers reports whether a request is for the admin API. At the host of a bucket, the path
// is a key.
func administers(h *Handler, r *http.Request) bool {
	if h.config.AdminToken == "" || !strings.HasPrefix(r.URL.Path, adminPath) {
		return false
	}
	_, website := h.hostWebsite(r.Host)
	return !website && h.hostBucket(r.Host) == ""
}

// newAdmin returns the admin API, which Config.AdminToken documents.
func newAdmin(h *Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_admin/faults", h.listFaults)
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
	mux.HandleFunc("/_admin/", func(w http.ResponseWriter, _ *http.Request) {
		adminError(w, http.StatusNotFound, "there is nothing at this address and method")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(token), []byte(h.config.AdminToken)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			adminError(w, http.StatusUnauthorized, "the header Authorization must be Bearer and the token")
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.limits.IdleTimeout)) // a writer of a test needs none
		mux.ServeHTTP(w, r)
	})
}

func adminError(w http.ResponseWriter, status int, text string) {
	adminResponse(w, status, map[string]string{"error": text})
}

func adminResponse(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no response
}

// An adminFault is a fault that was added.
type adminFault struct {
	ID      int   `json:"id"`
	Applied int   `json:"applied"` // requests that it has met
	Fault   Fault `json:"fault"`
}

func (h *Handler) listFaults(w http.ResponseWriter, _ *http.Request) {
	all := []adminFault{}
	h.faults.mu.Lock()
	for _, r := range h.faults.rules {
		all = append(all, adminFault{r.id, r.applied, r.fault})
	}
	h.faults.mu.Unlock()
	adminResponse(w, http.StatusOK, map[string]any{"faults": all})
}

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
	h.faults.mu.Lock()
	full := len(h.faults.rules) >= maxFaults
	h.faults.mu.Unlock()
	if full {
		adminError(w, http.StatusConflict, "there are too many faults: remove some")
		return
	}
	adminResponse(w, http.StatusCreated, map[string]int{"id": h.faults.add(f)})
}

func (h *Handler) removeFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !h.faults.remove(id) {
		adminError(w, http.StatusNotFound, "there is no fault with this id")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// An adminRequest is a Request without secrets.
type adminRequest struct {
	Operation string      `json:"operation"`
	Method    string      `json:"method"`
	Host      string      `json:"host"`
	Path      string      `json:"path"`
	Bucket    string      `json:"bucket,omitempty"`
	Key       string      `json:"key,omitempty"`
	Query     url.Values  `json:"query,omitempty"`
	Header    http.Header `json:"header,omitempty"`
	Status    int         `json:"status"`
}

func (h *Handler) listRequests(w http.ResponseWriter, _ *http.Request) {
	all := []adminRequest{}
	for _, r := range h.Requests() {
		all = append(all, adminRequest{
			r.Operation, r.Method, r.Host, r.Path, r.Bucket, r.Key, withoutSecrets(r.Query), withoutSecrets(r.Header), r.Status,
		})
	}
	counts := h.counts()
	total := 0
	for _, n := range counts {
		total += n
	}
	adminResponse(w, http.StatusOK, map[string]any{"total": total, "counts": counts, "requests": all})
}

// withoutSecrets returns headers or parameters without signatures, tokens and keys.
func withoutSecrets[M ~map[string][]string](m M) M {
	shown := M{}
	for name, values := range m {
		lower := strings.ToLower(name)
		secret := lower == "authorization" || slices.ContainsFunc([]string{"signature", "token", "customer-key"}, func(part string) bool {
			return strings.Contains(lower, part)
		})
		if !secret {
			shown[name] = values
		}
	}
	return shown
}
