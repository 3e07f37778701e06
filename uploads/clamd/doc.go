// Package clamd scans files of users for viruses with clamd, the daemon of ClamAV:
//
//	scanner, err := clamd.New(clamd.Config{
//		Address: "unix:///run/clamav/clamd.ctl",
//		IfDown:  clamd.Refuse,
//	})
//	service, err := uploads.New(bucket, uploads.Config{Inspect: scanner.Inspect})
//
// A file is accepted if clamd has read all of it and replied "stream: OK".
//
// # What clamd does not scan
//
// clamd calls a file clean without a scan if it is larger than its MaxFileSize. [Config.MaxSize] refuses such files.
// It also skips what an archive has above MaxScanSize, MaxFiles or MaxRecursion, and what is encrypted. To have such
// files refused, too, set this in clamd.conf:
//
//	AlertExceedsMax yes
//	AlertEncrypted yes
//
// # Errors
//
//	Result                                        Inspect returns                     HTTP
//	clamd found a virus                           *uploads.Error with Refused         422
//	clamd exceeded one of its limits              *uploads.Error with Refused         422
//	the file is above MaxSize or StreamMaxLength  *uploads.Error with TooLarge        413
//	clamd is down                                 by IfDown: Unavailable, or nil      503
//	clamd reported an error or broke off          Unavailable                         503
//	the content cannot be read                    the error of the store              503 or 500
//	the context ended                             Canceled or DeadlineExceeded        503
//
// All but the first three are *storage.Error. They keep an upload that can be resumed, and its client may complete it
// again. [uploads.Config.OnError] gets them.
package clamd
