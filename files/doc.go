// Package files keeps the files of an application's users. A client file stays and
// has a record. A temp file is removed by age. A [Store] consists of a bucket for the
// bytes and a place for the records. That place is the same bucket ([BucketRecords],
// nothing to install) or a database (package sqlrecords).
//
// For BucketRecords, the bucket must enforce IfAbsent and IfRevision. With a database,
// any bucket can store files, whole or in parts.
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
// An upload writes the bytes first and the record last. A removal removes the record
// first. So a file with a record has its bytes at every moment, and a crash leaves at
// worst bytes that nobody can reach. [Store.Sweep] removes those when they are older
// than Config.Grace, and records whose bytes were lost in another way. It keeps the
// bytes of an upload in parts until that expires. Run it, and [Store.ClearTemp], on a
// schedule. Both may run at any time, and in several processes at once.
//
// # Files in parts
//
// [Store.UploadPart] stores one part of a file. Parts are numbered from 1 and may
// arrive in any order, at once, and from several processes. A part that is sent again
// replaces the earlier one. Each call that finds the set complete returns the same
// record; any other call returns nil. From then on the parts are fixed: one that is
// sent again is not read. Once the record exists, such a call fails with Completed,
// and returns the record for a client that lost the response.
//
// If a call failed or its process died, send its part again, which resumes the
// upload. The provider joins the bytes if it can; otherwise they are streamed, and
// never held in memory. Other calls wait for a call that joins them. An upload that
// is idle for Config.PartsTTL expires, together with its token. A later part starts
// another upload, and a part in progress fails with NotFound.
//
// # Content
//
// Config.Inspect may refuse a file by its content. It sees the whole file after the last
// part has arrived, and before there is an object under the file's key. Nothing is left
// of a file that it refuses, neither bytes nor parts, and the token may be used again.
// Other calls that wait for the same parts fail with NotFound.
//
// # Keys
//
// All keys begin with "files/". Use [storage.Prefixed] to give a store a place of its
// own in a larger bucket.
//
//	files/client/<ID><ext>           bytes of a client file, files/temp/… of a temp file
//	files/records/client/<ID>.json   its record, with BucketRecords; records/temp/… always
//	files/parts/client/<hash>/…      an upload in parts ([uploads.Service.PutPiece]), parts/temp/…; the hash is of uploader and token;
//	                                 its state is in the database if the bucket lacks conditions;
//	                                 also content that Config.Inspect has not seen yet
//	files/clock                      written by Sweep and ClearTemp, to know the store's time; files/parts/client/clock only meanwhile
//
// In a bucket with versions, a removed file stays as a version until a lifecycle rule
// removes it.
//
// # Errors
//
// Every error is an [*uploads.Error]: Field and Message are for the client, and Code is for
// the program. It wraps a [storage.Code] or a *storage.Error, so that errors.Is works
// with either. Errors of [New] are *storage.Error.
//
//	Code             means                                             HTTP  storage.Code
//	InvalidValue     a field is missing, too long or malformed         400   InvalidArgument
//	NotFound         there is no file with this ID, or the parts of    404   ObjectNotFound
//	                 this token have expired meanwhile
//	TooLarge         the file is larger than Config.MaxSize            413   TooLarge
//	PartsChanged     count, name, type or purpose differ from those    409   PreconditionFailed
//	                 of the earlier parts
//	Completed        the token has made its file already               409   PreconditionFailed
//	Refused          for Config.Inspect: the content is not allowed    422   InvalidArgument
//	Interrupted      the sender stopped in the middle                  400   BodyFailed, Canceled
//	StoreFailed      bucket or records failed; see Err                 503   the store's
//
// [Handler] adds these:
//
//	InvalidRequest   the request is malformed                          400   InvalidArgument
//	Unauthenticated  Authorize does not know the user                  401   Unauthenticated
//	NotAllowed       Authorize refused                                 403   PermissionDenied
//	Internal         the application's own Authorize failed            500   Internal
package files
