// Package uploads takes files from users: any size, any client, judged by their content
// before they exist. Its name and what the sender claims decide nothing. The key is drawn
// from a pattern and never overwrites another object. The package works with every bucket.
//
//	service, err := uploads.New(bucket, uploads.Config{
//		Rules: rules.Images(5 << 20),
//		Key:   "users/{user}/avatars/{yyyy}/{mm}/{random}{ext}",
//		Authorize: func(r *http.Request) (uploads.User, error) {
//			return uploads.User{ID: userOf(r)}, nil
//		},
//		Stored: func(ctx context.Context, f *uploads.File) error { return remember(ctx, f.User.ID, f.Key) },
//	})
//	mux.Handle("/uploads/", http.StripPrefix("/uploads", service))
//
// # Ways in
//
// A file comes by one of these ways. The same rules hold for all of them.
//
//   - [Service.Store] takes any reader, such as a part of a form that the application reads
//     itself. It needs no Authorize.
//   - A form, for files that fit one request. The server forwards the bytes.
//   - The S3 multipart routes of Uppy's companion (plugin AwsS3), which upload.js of this
//     package speaks too ([Script]). The service signs requests, and the client sends the
//     parts straight to the store. An upload that was interrupted continues.
//   - tus 1.0 (tus-js-client, Uppy's plugin Tus, and clients for most languages). All bytes
//     pass through the service, in bounded memory. An upload that was interrupted continues.
//   - The IETF's draft of resumable uploads, draft-ietf-httpbis-resumable-upload, at the endpoint of
//     tus. URLSession of iOS 17 and later speaks it.
//   - Pieces ([Service.PutPiece]) have any size and arrive in any order, through a program of
//     your own. Several processes may take pieces of one file.
//   - Tickets ([Service.Sign] and [Service.Finish]) are for programs of your own that send a
//     file straight to the store in one request. They keep no state on the server.
//
// With Config.Records, each file has a record, whichever way it came ([BucketRecords], or package sqlrecords).
// A crash leaves at worst bytes that Sweep removes. Package filesapi serves such files over HTTP.
//
// # Routes
//
// Paths are relative to the path at which the service is mounted. For Uppy's AwsS3, that
// path is the option endpoint; for tus, the endpoint is that path and "/tus/".
//
//	POST   /                 multipart/form-data with files: 201 {"files": [File, …]}
//	POST   /tickets          {"name", "type", "size"}: 201 Ticket, for a file that goes straight to the store
//	POST   /tickets/finish   {"token"}: 200 File
//	DELETE /{key}            204; see Config.DeleteShared
//
//	POST   /s3/multipart                           {"filename", "type", "metadata", "size", "checksum"} → {"key", "uploadId", "partSize", …}
//	GET    /s3/multipart/{id}?key=                 → [{"PartNumber", "Size", "ETag", "ChecksumCRC32C"}]
//	GET    /s3/multipart/{id}/{part}?key=          → {"url", "method", "headers", "expires"}; also size= and crc32c=
//	GET    /s3/multipart/{id}/batch?partNumbers=   → {"presignedUrls": {"1": url}, "headers": {"1": {…}}}
//	POST   /s3/multipart/{id}/complete?key=        {"parts": [{"PartNumber", "ETag"}]} → {"location", "key", "size"}
//	DELETE /s3/multipart/{id}?key=                 → {}
//	GET    /s3/params?filename=&type=              → {"method", "url", "fields", "headers", "expires"}, for a file in one request
//	POST   /tus/                                   creates an upload, or joins pieces (Upload-Concat: final)
//	HEAD   /tus/{id}                               → Upload-Offset
//	PATCH  /tus/{id}                               bytes from Upload-Offset on
//	DELETE /tus/{id}                               ends an unfinished upload
//
// A request of the draft has Upload-Complete and no Tus-Resumable. The routes are those of tus; the media
// type of PATCH is application/partial-upload, and the response of a completion is that of S3's. The service
// knows drafts -01 to -12, which are the interop versions 3 to 8, and requests without a version, which
// get no interim response. The name of the file is that of Content-Disposition, and its type Content-Type.
//
// A form is stored whole or not at all. If one file is refused, the files before it are
// removed again, and those after it are ignored. The S3 routes and tus need a bucket with
// [storage.OpenUploads].
//
// A browser sends a form of another site with the user's cookies. If Authorize uses cookies,
// wrap the service in [http.CrossOriginProtection], or check a token of your own in Authorize.
//
// After a refusal, the service reads up to 4 MiB of the rest, so that the browser sees the
// response. If there is more, it closes the connection.
//
// # When a file is judged
//
// A form, and what Store takes, is judged while it streams. Files of the other ways wait under Config.Prefix until
// all of their bytes are there; then they are judged, and copied to their key. Until then,
// the key is not known, and the S3 routes call it by the upload's ID. Bytes of files that
// [rules.Any] lets pass go straight to their key.
//
// # Refused files
//
// Package rules decides, by the beginning of a file: by default, which pictures. Nothing is changed in it.
// The place where a photo was taken stays in it, and so does anything hidden after its end.
//
// # Serving the files
//
// A picture can be a JavaScript program too, so the headers that a file is served
// with must keep browsers from running it. The package stores the content type that
// it detected, and a Content-Disposition of attachment unless the file is a JPEG,
// PNG, GIF, WebP or AVIF. Serve files with X-Content-Type-Options: nosniff and
// Content-Security-Policy: sandbox, as
// [github.com/omnibucket/storage/serve.NewHandler] does, or from a host of their own.
//
// # Parts
//
// Uppy does not send "size" and "checksum". A client that sends "size" gets a part size
// that fits, and is held to the size of the file. If it sends "checksum": "crc32c" and the
// response has it too, each request for a part's address must have crc32c= (four bytes in
// base64), and the bytes are verified; Azure does not. With size=, the store refuses a part
// of another size, if it has [storage.SignedSize], and so does the handler. The parameter key
// may be left out. Completing again with the same parts gets the same response, as on S3.
// If a part is sent again after the client named its ETag, the completion fails with parts_changed,
// and the upload stays open: list the parts, and complete again. The stores themselves verify the
// ETag when they join the parts. A part that is named by "" as its ETag may be any. The address of a
// part with crc32c= stores no other bytes.
//
// The file of /s3/params passes through the handler, because nothing else could bound its
// size. It is the body of a PUT, or the field "file" of a form that is sent by POST, as by
// version 6 of Uppy. It may be sent again if the response is lost. Uppy's shouldUseMultipart sends every file in parts.
//
// The extensions of tus are creation, creation-with-upload, creation-defer-length,
// expiration, termination, checksum and concatenation. A completed file is not removed by
// DELETE: it is the application's. If a call that completed an upload failed or was killed, its
// object may be there: then DELETE completes the upload, calls Config.Stored, and is refused
// as for any completed file. The object of a file of at most one part is recognized by its size and
// CRC32C. If the store has no CRC32C of it, DELETE ends the upload, and the object stays.
//
// # State of uploads
//
// Each upload has a small object under Config.Prefix, or a text in [Config.States], which is only replaced if
// it has not changed since it was read. So any number of processes may serve one upload, and an offset that was
// acknowledged survives a kill of the server. The client gets an ID that cannot be guessed; names of objects
// have only its hash. The bucket must not be public below the prefix. If Config changes such that the bytes of
// an open upload would be elsewhere, as with Inspect, or its key would lack a value, the upload is NotFound, and
// its client starts again.
//
// # Errors
//
// Every error is an [*Error]: Field and Message are for the form, and Code is for the program.
// It wraps a [storage.Code] or a *storage.Error, so that errors.Is works with either. Over HTTP
// it is problem details (RFC 9457) with code, field, file and requestId, and Retry-After if
// waiting helps. The ID is that of the request's X-Request-Id, or a new one; each response has it,
// and so has the request that the functions of [Config] get. Unknown, expired and aborted uploads
// and those of other users look the same.
//
//	Code             means                                          HTTP  storage.Code
//	NoFile           the form has no file                           400   InvalidArgument
//	TooManyFiles     the form has too many files                    413   TooLarge
//	Empty            the file has no bytes                          422   InvalidArgument
//	TooSmall         it is smaller than its rules allow             422   InvalidArgument
//	TooLarge         it is larger than allowed, or too much         413   TooLarge
//	                 precedes its picture
//	WrongSize        its length, or that of a part, is not the      422   InvalidArgument
//	                 announced one, or too small for a part
//	TypeNotAllowed   its content is of another type                 415   InvalidArgument
//	Damaged          its header contradicts itself or is cut short  422   InvalidArgument
//	ActiveContent    it holds markup or a script                    422   InvalidArgument
//	TooManyPixels    it has too many pixels when decoded            422   TooLarge
//	Refused          for Config.Inspect                             422   InvalidArgument
//	InvalidValue     a header, parameter, or value of the key's     400   InvalidArgument
//	                 pattern is missing, unknown or unsafe
//	InvalidRequest   the request is malformed, has another          400   InvalidArgument
//	                 Content-Type than the protocol's (415), or
//	                 an unknown version of tus (412)
//	Unauthenticated  Authorize does not know the user               401   Unauthenticated
//	NotAllowed       Authorize or Begin refused, it is not          403   PermissionDenied
//	                 offered, or the key is another user's
//	NotFound         there is no such upload for this user, it is   404   ObjectNotFound
//	                 too old, or its file has been removed
//	NotUploaded      the file, parts or pieces have not arrived     422   ObjectNotFound
//	PartsChanged     a part has another ETag than the client says   422   PreconditionFailed
//	OffsetMismatch   Upload-Offset is not where it continues        409   PreconditionFailed
//	ChecksumMismatch Upload-Checksum is another; nothing counts     460   ChecksumMismatch
//	Completed        the upload is complete                         409   PreconditionFailed
//	Exists           there is an object under the key               412   PreconditionFailed
//	Locked           another request completes or continues it      423   Locked
//	Interrupted      the sender stopped in the middle, or           400   BodyFailed, Canceled
//	                 the server stops (503)
//	StoreFailed      the store failed; see Err                      503   the store's
//	Busy             Config.MemoryLimit is used up, or a function   503   Unavailable
//	                 of the application cannot answer just now
//	Internal         a function of the application failed           500   Internal
//
// Functions of [Config] may return an [*Error] with a code and status of their own.
//
// # Leftovers
//
// Run [Service.Sweep] on a schedule. It leaves two things. A ticket with Finish has an empty object under
// Config.Prefix, which keeps its address from working again. A request that was killed before it wrote the state
// of an upload may leave parts in the store. Remove both with a lifecycle rule, which is longer than Config.TTL,
// or with transfer.Expire; docs/jobs.md has the rule for each store:
//
//	storage.LifecycleRule{Prefix: uploads.DefaultPrefix, ExpireAfterDays: 8, AbortUploadsAfterDays: 8}
//
// An upload whose response was lost ([storage.OutcomeUnknown]) may leave an object
// under a key that nobody knows.
package uploads
