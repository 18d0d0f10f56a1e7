/* SPDX-License-Identifier: Apache-2.0 */
/** C interface of the bundle tools, for Swift: what a packed suite, a model file and this machine are, in the words of
 *  run.json (docs/run-bundle.md). The rules of segcore/c_api.h apply.
 *
 * Texts are UTF-8 and, where JSON is promised, one JSON value.
 */
#ifndef SEGBUNDLE_H_
#define SEGBUNDLE_H_

#include <stddef.h>
#include <stdint.h>

#include "segcore/c_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Gives a text back that a call below handed over. */
void segbundle_free(char* text);

enum {
  SEGBUNDLE_DEVICE = 0,      /**< the `device` part of run.json */
  SEGBUNDLE_CONDITIONS = 1,  /**< what may disturb a measurement right now */
  SEGBUNDLE_BUILD = 2,       /**< the `build` part */
  SEGBUNDLE_PEAK_MEMORY = 3, /**< the `memory` part: of this process so far */
  SEGBUNDLE_TIME = 4,        /**< the time of day, a string */
  SEGBUNDLE_SESSION = 5      /**< a name for a new session, a string */
};

/** JSON; NULL only where memory is out. */
char* segbundle_tell(int32_t what);

/** The release of the LiteRT that a model would be run by, such as 2.3.0, empty where it is not told: of the library at
 *  that path, or of the one that is found where it is NULL (docs/litert.md). The library stays loaded. */
segcore_code segbundle_litert_release(const char* library, char** release, segcore_error* error);

/** The SHA-256 of a file: 64 hexadecimal digits and a zero. */
segcore_code segbundle_hash_file(const char* path, char hex[65], segcore_error* error);

/** The command line of segbench, read for a program of another name, whose runs have another label by default: JSON
 * with what was asked for, or with `text`, what is to be printed instead (--help, --version). The first word is left
 * out. */
segcore_code segbundle_command_line(const char* program, const char* label, int argc, char** argv, char** json,
                                    segcore_error* error);

/* --- models ----------------------------------------------------------------------------------------------------- */

typedef struct segbundle_model segbundle_model;

/** Reads a .tflite file and its contract: of the file `contract`, or its own where that is NULL. A damaged file is no
 *  error here, see segbundle_model_damage. */
segcore_code segbundle_model_read(const char* path, const char* contract, segbundle_model** model,
                                  segcore_error* error);
void segbundle_model_destroy(segbundle_model* model);
/** What follows lives as long as the model: the file's bytes, the `model` part of run.json as JSON (null where the file
 *  is damaged), the text of its contract. */
const void* segbundle_model_data(const segbundle_model* model, size_t* bytes);
const char* segbundle_model_facts(const segbundle_model* model);
const char* segbundle_model_contract(const segbundle_model* model);
/** Why the file cannot be run; SEGCORE_OK where it can. */
segcore_code segbundle_model_damage(const segbundle_model* model, segcore_error* error);

/* --- suites ----------------------------------------------------------------------------------------------------- */

typedef struct segbundle_suite segbundle_suite;

/** Reads and checks the suite.json of a packed suite. */
segcore_code segbundle_suite_load(const char* path, segbundle_suite** suite, segcore_error* error);
void segbundle_suite_destroy(segbundle_suite* suite);
/** The `suite` part of run.json as JSON; it lives as long as the suite. */
const char* segbundle_suite_facts(const segbundle_suite* suite);
/** Reads every file; the error is the first thing that is wrong. */
segcore_code segbundle_suite_verify(const segbundle_suite* suite, segcore_error* error);
/** The pixels of the image of case `index`, its file checked against its hash: height * width * 3 bytes of RGB; `count`
 *  says how many `pixels` holds. */
segcore_code segbundle_suite_read_image(const segbundle_suite* suite, size_t index, uint8_t* pixels, size_t count,
                                        segcore_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SEGBUNDLE_H_ */
