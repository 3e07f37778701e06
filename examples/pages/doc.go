// Package pages has the code of pages of the documentation that are about one subject: conditions,
// signed URLs and jobs. Its tests run it in memory.
package pages
