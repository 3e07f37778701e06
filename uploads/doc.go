// Package uploads takes files from people and stores them safely: what a file is
// is decided by its content, never by its name or by what the sender claims; its
// size is bounded while it streams; its key is drawn from a pattern and never
// overwrites another. It works on every bucket.
//
//	service, err := uploads.New(bucket, uploads.Config{
//		Key:     "users/{user}/avatars/{yyyy}/{mm}/{random}{ext}",
//		MaxSize: 5 << 20,
//		Link:    uploads.SignedLink,
//	})
//	result, err := service.Store(ctx, uploads.Upload{
//		Body:   file,
//		Name:   "me.png",
//		Values: uploads.Values{"user": "42"},
//	})
//
// There are three ways in: Store takes any reader, StorePart a part of a
// multipart form, and Sign with Finish let a browser send the file straight to
// the store, to be looked at when it has arrived. Handler offers all of them over
// HTTP.
//
// # What is refused
//
// By default JPEG, PNG, GIF, WebP and AVIF pass, and nothing else. Of those the
// header has to be sound, the pixels within bounds, the first bytes without
// markup, and the file no program of JavaScript, whatever encoding a page says
// that it has: one is refused whose first MiB may be read as one. SVG can be
// allowed; one with a script, an event handler, a link or a reference to
// elsewhere is refused, as is one that no XML parser opens. Of any other
// type that is allowed (PDF, office documents, sound) the detection and the look
// for markup decide alone. What browsers run as a page of its own (HTML, XML,
// JavaScript) cannot be allowed at all.
//
// Only the head of a file is looked at, and nothing in it is changed: the place
// where a photo was taken stays in it, and so does what is hidden behind its end.
// Whatever serves the files shall send X-Content-Type-Options: nosniff, as the
// handler of package serve does, or the files have a host of their own.
//
// # Errors
//
// Every error is an *Error: Field and Message are for the form, Code for the
// program, and beneath is a storage.Code or *storage.Error, so that errors.Is
// works with either.
//
//	Code              means                                          HTTP  storage.Code
//	NoFile            the form has no file                           400   InvalidArgument
//	TooManyFiles      the form has more than it may                  413   TooLarge
//	Empty             the file has no bytes                          422   InvalidArgument
//	TooSmall          it is smaller than MinSize                     422   InvalidArgument
//	TooLarge          it is larger than MaxSize, or its picture is   413   TooLarge
//	                  behind more than can be looked through
//	WrongSize         it is not as long as was claimed               422   InvalidArgument
//	TypeNotAllowed    its content is of another type                 415   InvalidArgument
//	Damaged           its header contradicts itself or is cut short  422   InvalidArgument
//	ActiveContent     it holds markup or a script                    422   InvalidArgument
//	TooManyPixels     it unpacks to more than MaxPixels              422   TooLarge
//	InvalidValue      a value of the key's pattern is missing,       400   InvalidArgument
//	                  unknown or unsafe
//	InvalidRequest    the request is not understood                  400   InvalidArgument
//	InvalidTicket     the token is another's, or not from here       403   PermissionDenied
//	TicketExpired     the token is too old, or its file was removed  410   InvalidArgument
//	                  again
//	NotUploaded       Finish, and no file has arrived                409   ObjectNotFound
//	NotYours          the key is not one of these values'            403   PermissionDenied
//	NotAllowed        Authorize said no, or deleting is not offered  403   PermissionDenied
//	Unauthenticated   Authorize does not know who it is              401   Unauthenticated
//	Interrupted       the sender stopped in the middle               400   BodyFailed, Canceled
//	StoreFailed       the store failed; Err tells how                503   the store's
//	Internal          the application's own Authorize failed         500   Internal
//
// # Who may delete
//
// Service.Delete and the handler's DELETE know whose a file is by the values in
// its key. A pattern without any, as DefaultKey, says that of nobody: the handler
// deletes nothing there (HandlerConfig.DeleteShared), and who calls Delete has to
// have looked up the owner of the key.
//
// # What is left behind
//
// A signed upload that nobody finishes lies under Config.PendingPrefix and
// nowhere else; so does, of each that was finished, an empty object, which keeps
// its address from working again. It can be finished until a day after
// Config.UploadTTL; what is older may be cleared, by a lifecycle rule of the
// bucket or transfer.Expire:
//
//	storage.LifecycleRule{Prefix: uploads.DefaultPendingPrefix, ExpireAfterDays: 2}
//
// An upload whose answer was lost (storage.OutcomeUnknown) may have left an
// object under a key that nobody has.
package uploads
