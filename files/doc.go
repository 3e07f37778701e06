// Package files keeps the files of an application's users: client files, which
// stay and have a record each, and temp files, which are cleared by age. A Store
// is a bucket for the bytes and a place for the records: the same bucket
// (BucketRecords, nothing to install), or a database (package sqlrecords).
//
// With BucketRecords, and for uploads in parts, the bucket has to enforce IfAbsent
// and IfRevision; with a database any bucket is enough for whole files.
//
//	store, err := files.New(bucket, files.BucketRecords(bucket), files.Config{})
//	record, err := store.Upload(ctx, body, files.UploadOptions{
//		OriginalFileName: "invoice.pdf",
//		UploadedBy:       "42",
//	})
//	reader, record, err := store.Download(ctx, record.ID)
//
// Any number of processes may use one store at once.
//
// # A record if and only if there are bytes
//
// An upload writes the bytes first and the record last; a removal takes the
// record first. So what has a record has its bytes, at every moment, and a crash
// leaves at worst bytes that nobody can reach. Sweep removes those when they are
// older than Config.Grace, and records whose bytes were lost in another way; the
// bytes that an upload in parts has made it leaves alone until that expires. Run
// it, and ClearTemp, on a schedule; both may run at any time, in several
// processes, beside everything else.
//
// # Files in parts
//
// UploadPart stores one part of a file: parts from 1, in any order, at once, from
// several processes; a part sent again replaces the earlier one. Each call that
// finds the set complete answers with the record, the same for all of them;
// every other answers nil. From then on the parts are fixed: one sent once more
// is not read, and once the record is there it is Completed, with the record in
// the Error for a client that lost the answer. Where a call failed or its
// process died, send its part again: it goes on with what was begun. The bytes
// are joined by the provider where it can, else streamed; they are never held in
// memory, and a call that takes long at it is waited for. What is left alone for
// Config.PartsTTL expires, and the token with it: a part that comes later begins
// another upload, and one that was on its way is answered NotFound.
//
// # Where things lie
//
// All keys begin with "files/"; storage.Prefixed gives a store a place of its
// own in a larger bucket.
//
//	files/client/<ID><ext>           bytes of a client file, files/temp/… of a temp file
//	files/records/client/<ID>.json   its record, with BucketRecords; records/temp/… always
//	files/parts/client/<hash>/…      an upload in parts, parts/temp/…; the hash is of uploader and token
//	files/clock                      written by Sweep and ClearTemp, to know the store's time
//
// In a bucket that keeps versions, a removed file stays as a version until a
// lifecycle rule takes it.
//
// # Errors
//
// Every error is an *Error: Field and Message are for the client, Code for the
// program, and beneath is a storage.Code or *storage.Error, so that errors.Is
// works with either. New's are *storage.Error.
//
//	Code             means                                             HTTP  storage.Code
//	InvalidValue     a field is missing, too long or not understood    400   InvalidArgument
//	NotFound         there is no file of this ID; or the parts of      404   ObjectNotFound
//	                 this token have expired meanwhile
//	TooLarge         the file is larger than Config.MaxSize            413   TooLarge
//	PartsChanged     count, name, type or purpose are not those of     409   PreconditionFailed
//	                 the parts before
//	Completed        the token has made its file already               409   PreconditionFailed
//	Interrupted      the sender stopped in the middle                  400   BodyFailed, Canceled
//	StoreFailed      bucket or records failed; Err tells how           503   the store's
//
// Handler has these of its own:
//
//	InvalidRequest   the request is not understood                     400   InvalidArgument
//	Unauthenticated  Authorize does not know who it is                 401   Unauthenticated
//	NotAllowed       Authorize said no                                 403   PermissionDenied
//	Internal         the application's own Authorize failed            500   Internal
package files
