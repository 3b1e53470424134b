/* SPDX-License-Identifier: GPL-2.0-only */
/* The smallest useful kernel module: says hello and goodbye, and has one parameter. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

static char *name = "world";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "whom to greet");

static int __init demo_init(void)
{
	pr_info("demo: hello, %s\n", name);
	return 0;
}

static void __exit demo_exit(void)
{
	pr_info("demo: goodbye, %s\n", name);
}

module_init(demo_init);
module_exit(demo_exit);

MODULE_DESCRIPTION("kmodbox demonstration module");
MODULE_AUTHOR("The kmodbox developers");
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
