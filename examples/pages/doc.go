// Package pages has the code that pages of the documentation show, about conditions, signed URLs
// and jobs. Its tests run that code in memory.
package pages
