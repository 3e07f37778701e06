package operations

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// matchingRule returns the bucket's first CORS rule that allows the request, or nil.
func matchingRule(r *request.Request, origin, method string, headers []string) *cors.Rule {
	b, err := r.Bucket()
	if err != nil || b.CORS == nil {
		return nil
	}
	return b.CORS.Find(origin, method, headers)
}

// WriteCORS adds the headers that let a page read the response, if a CORS rule allows that. Otherwise the
// request still succeeds, but the browser hides the response from the page.
func WriteCORS(r *request.Request) {
	origin := r.HTTP.Header.Get("Origin")
	if origin == "" || r.Operation == "Preflight" {
		return
	}

	// S3 obeys Access-Control-Request-Method and Access-Control-Request-Headers in any request, not only
	// in a preflight.
	method := r.HTTP.Method
	if corsMethod := r.HTTP.Header.Get("Access-Control-Request-Method"); corsMethod != "" {
		method = corsMethod
	}
	if rule := matchingRule(r, origin, method, requestedHeaders(r)); rule != nil {
		rule.Write(r.Writer.Header(), origin)
	}
}

// requestedHeaders returns the names in the header Access-Control-Request-Headers, in lower case.
func requestedHeaders(r *request.Request) []string {
	var names []string
	for name := range strings.SplitSeq(r.HTTP.Header.Get("Access-Control-Request-Headers"), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// corsRefusal returns AWS's error for a preflight request that no rule allows.
func corsRefusal(r *request.Request, method string) error {
	refusal := s3error.New("AccessForbidden", "Method", method, "ResourceType", r.Target.Kind())
	b, err := r.Bucket()
	if err != nil {
		refusal.Message = "CORSResponse: Bucket not found"
	} else if b.CORS == nil {
		refusal.Message = "CORSResponse: CORS is not enabled for this bucket."
	}
	return refusal
}

// preflight responds to the OPTIONS request with which a browser asks whether a page may send another
// request. It needs no signature.
func preflight(r *request.Request) error {
	origin := r.HTTP.Header.Get("Origin")
	method := r.HTTP.Header.Get("Access-Control-Request-Method")
	if origin == "" {
		return s3error.New("BadRequest").WithMessage("Insufficient information. Origin request header needed.")
	}
	if method == "" {
		return s3error.New("BadRequest").WithMessage("Invalid Access-Control-Request-Method: null")
	}

	names := requestedHeaders(r)
	rule := matchingRule(r, origin, method, names)
	if rule == nil {
		return corsRefusal(r, method)
	}
	rule.Write(r.Writer.Header(), origin)
	if len(names) > 0 {
		r.Writer.Header().Set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	}
	return r.Done(http.StatusOK)
}
