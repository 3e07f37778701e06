package s3server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/faults"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/operations"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// ServeHTTP handles one request, for S3 or for the admin API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if isAdminRequest(h, req) {
		h.admin.ServeHTTP(w, req)
		return
	}

	// Change a copy, because a handler must not change the original.
	req = req.WithContext(req.Context())
	if req.Body == nil {
		// An http.Server always sets Body, but other callers may leave it nil.
		req.Body = http.NoBody
	}

	r := request.New(h.server, w, req)
	header := w.Header()
	// The S3 client of this library recognizes the server by this name.
	header.Set("Server", "AmazonS3 (omnibucket)")
	header.Set("X-Amz-Request-Id", r.ID)
	header.Set("X-Amz-Id-2", s3error.HostID)

	requestLog := h.beginLog(r)

	// The error of a request without an operation is sent below, so that the request is recorded and logged
	// like any other.
	handle, routeErr := operations.Route(r)

	// The faults that a test has set up may change the clock of the request.
	r.Fault = &faults.Effects{}
	fault := h.faults.Match(r.Operation, r.Target.Bucket, r.Target.Key)
	if fault != nil {
		*r.Fault = fault.effects()
	}
	// Date shows the clock by which the server checks the time of a signature.
	header.Set("Date", r.Now().Format(http.TimeFormat))

	// From here, the request is counted.
	record := h.recorder.begin(r)
	response := r.Open()
	sendContinue(w, req)
	defer func() {
		r.Release()
		h.recorder.end(record, response.Status)
		if requestLog != nil {
			hasFault := fault != nil
			h.config.Log(requestLog.entry(response, hasFault))
		}
	}()

	err := routeErr
	if err == nil {
		err = run(r, handle)
	}
	if err != nil {
		operations.WriteCORS(r)
		failure := storageerror.Response(err)
		r.Failure = failure
		r.WriteError(failure)
	}
	response.Finish()
}

// sendContinue sends "100 Continue" to a client that expects it but sends no body, for which net/http sends none.
// Without it, boto3 would misread the next response on the connection.
func sendContinue(w http.ResponseWriter, req *http.Request) {
	expectsContinue := req.ProtoMajor == 1 && strings.EqualFold(req.Header.Get("Expect"), "100-continue")
	if expectsContinue && req.ContentLength == 0 {
		w.WriteHeader(http.StatusContinue)
	}
}

// authenticatesItself has the operations for which run checks no signature. Some of
// these operations need no signature. The others check the signature themselves.
var authenticatesItself = []string{"Preflight", "PostObject", "GetWebsiteDocument", "AssumeRole"}

// run checks the signature, permissions, headers and parameters of a request, and then calls handle.
func run(r *request.Request, handle func(*request.Request) error) error {
	if err := r.ApplyBeforeAuth(); err != nil {
		return err
	}

	// Some operations, such as a form upload, find their signature elsewhere.
	if !slices.Contains(authenticatesItself, r.Operation) {
		if err := access.Authenticate(r); err != nil {
			return err
		}

		// The signature is verified, so the headers may now be changed.
		request.HoistParameters(r)
		if err := access.Authorize(r); err != nil {
			return err
		}
		if err := access.CheckOwner(r, r.HTTP.Header); err != nil {
			return err
		}
		if err := access.CheckPayer(r, r.Target.Bucket, r.HTTP.Header); err != nil {
			return err
		}
	}

	if err := r.ApplyAfterAuth(); err != nil {
		return err
	}

	// The caller may perform the operation, so check the rest of the request.
	if err := headers.Check(r.Operation, r.HTTP.Header, r.Server.Strict); err != nil {
		return err
	}
	if err := request.CheckParameters(r); err != nil {
		return err
	}

	// Publish the events even if a fault cuts off the response.
	operations.WriteCORS(r)
	defer operations.Publish(r)
	return handle(r)
}
