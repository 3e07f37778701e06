package s3server

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// matchingRule returns the first rule that allows the request, or nil.
func matchingRule(r *request, origin, method string, headers []string) *cors.Rule {
	b, err := r.bucket()
	if err != nil || b.CORS == nil {
		return nil
	}
	return b.CORS.Find(origin, method, headers)
}

// corsHeaders lets the page that sent the request read the response, if a rule allows
// it. Without a rule, the browser fails and not the request.
func (r *request) corsHeaders() {
	origin := r.in.Header.Get("Origin")
	if origin == "" || r.operation == "Preflight" {
		return
	}
	// S3 uses the headers of a preflight request in other requests, too.
	method := r.in.Method
	if asked := r.in.Header.Get("Access-Control-Request-Method"); asked != "" {
		method = asked
	}
	if rule := matchingRule(r, origin, method, requestedHeaders(r)); rule != nil {
		rule.Write(r.w.Header(), origin)
	}
}

// requestedHeaders returns the headers of Access-Control-Request-Headers, in lower case.
func requestedHeaders(r *request) []string {
	var headers []string
	for name := range strings.SplitSeq(r.in.Header.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			headers = append(headers, name)
		}
	}
	return headers
}

// corsRefusal says why no rule allows a preflight request, in the words of AWS.
func corsRefusal(r *request, method string) error {
	refusal := s3error.New("AccessForbidden", "Method", method, "ResourceType", r.target.kind())
	switch b, err := r.bucket(); {
	case err != nil:
		refusal.Message = "CORSResponse: Bucket not found"
	case b.CORS == nil:
		refusal.Message = "CORSResponse: CORS is not enabled for this bucket."
	}
	return refusal
}

// preflight responds to a browser that asks before it sends a request. It needs no signature.
func preflight(r *request) error {
	origin, method := r.in.Header.Get("Origin"), r.in.Header.Get("Access-Control-Request-Method")
	if origin == "" {
		return s3error.New("BadRequest").WithMessage("Insufficient information. Origin request header needed.")
	}
	if method == "" {
		return s3error.New("BadRequest").WithMessage("Invalid Access-Control-Request-Method: null")
	}
	headers := requestedHeaders(r)
	rule := matchingRule(r, origin, method, headers)
	if rule == nil {
		return corsRefusal(r, method)
	}
	rule.Write(r.w.Header(), origin)
	if len(headers) > 0 {
		r.w.Header().Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	return r.done(http.StatusOK)
}
